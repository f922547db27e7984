#!/bin/sh
# valgrind.sh BINARY FOLDER FILTER...: runs the end-to-end tests whose names hold a FILTER with the
# worker under valgrind, for which a script of its name in FOLDER stands in.
set -eu
binary=$1
folder=$2
shift 2
rm -rf "$folder"
mkdir -p "$folder/reports"
reports=$(cd "$folder/reports" && pwd)
# Between fork and exec, and in a launcher that was not started anew, there is nothing to be seen.
cat > "$folder/sparklesworker" <<END
#!/bin/sh
exec valgrind --quiet --error-exitcode=99 --child-silent-after-fork=yes --leak-check=full \\
  --show-leak-kinds=definite --errors-for-leak-kinds=definite \\
  --log-file='$reports/%p' '$binary' "\$@"
END
chmod +x "$folder/sparklesworker"
for filter; do
  python3 "$(dirname "$0")/run_tests.py" --binary "$folder/sparklesworker" --only "$filter"
done
# Lines of "==" are errors; others say which system calls valgrind does not know (we do without).
bad=$(grep -l -r '^==' "$reports" || true)
if [ -n "$bad" ]; then
  # shellcheck disable=SC2086  # names are numbers
  cat $bad >&2
  echo "valgrind: $(echo "$bad" | wc -l) processes with errors" >&2
  exit 1
fi
echo "valgrind: $(find "$reports" -type f | wc -l) processes, no error"
