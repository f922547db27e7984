# GC content of a FASTA file in windows.
# awk -v window=10000 -f gc.awk genome.fa > gc-windows.csv        one line a window
# awk -v window=10000 -v bootstrap=1000 -f gc.awk genome.fa       the mean and its 95% interval,
#                                                                 by drawing windows again and again
function random() {
  state = (state * 69069 + 12345) % 4294967296
  return state / 4294967296
}

function close_window() {
  if (bases > 0) {
    gc[++windows] = strong / bases
    place[windows] = contig "," start "," start + bases - 1
  }
  start += bases
  bases = strong = 0
}

/^>/ { close_window(); contig = substr($1, 2); start = 1; next }

{
  bases += length($0)
  strong += gsub(/[GC]/, "")
  if (bases >= window) close_window()
}

END {
  close_window()
  if (!bootstrap) {
    print "contig,start,end,gc"
    for (i = 1; i <= windows; i++) printf "%s,%.4f\n", place[i], gc[i]
    exit
  }
  state = 7
  for (draw = 1; draw <= bootstrap; draw++) {
    sum = 0
    for (i = 1; i <= windows; i++) sum += gc[int(random() * windows) + 1]
    printf "%.6f\n", sum / windows | "sort -n > means.txt"
  }
  close("sort -n > means.txt")
  for (i = 1; i <= bootstrap; i++) { getline mean < "means.txt"; means[i] = mean; all += mean }
  print "mean,low95,high95,draws"
  printf "%.6f,%s,%s,%d\n", all / bootstrap, means[int(bootstrap * 0.025) + 1],
         means[int(bootstrap * 0.975)], bootstrap
}
