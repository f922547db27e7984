#!/bin/sh
# valgrind.sh BINARY DIRECTORY FILTER...: runs the end-to-end tests whose names contain a FILTER,
# with the worker under valgrind. A script in DIRECTORY replaces the worker and starts valgrind.
set -eu
binary=$1
directory=$2
shift 2
rm -rf "$directory"
mkdir -p "$directory/reports"
reports=$(cd "$directory/reports" && pwd)
# Silent after a fork, because the code between fork and exec, and a forked launcher, give only
# false reports.
cat > "$directory/sparklesworker" <<END
#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --child-silent-after-fork=yes --leak-check=full \\
  --show-leak-kinds=definite --errors-for-leak-kinds=definite \\
  --log-file='$reports/%p' '$binary' "\$@"
END
chmod +x "$directory/sparklesworker"
for filter; do
  python3 "$(dirname "$0")/run_tests.py" --binary "$directory/sparklesworker" --only "$filter"
done
# Lines that start with "==" are errors. Other lines name system calls that valgrind does not know;
# the worker does not need these.
bad=$(grep -l -r '^==' "$reports" || true)
if [ -n "$bad" ]; then
  # shellcheck disable=SC2086  # names are numbers
  cat $bad >&2
  echo "valgrind: $(echo "$bad" | wc -l) processes with errors" >&2
  exit 1
fi
echo "valgrind: $(find "$reports" -type f | wc -l) processes, no error"
