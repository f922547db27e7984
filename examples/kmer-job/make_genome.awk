# Prints a synthetic genome of three contigs as FASTA, always the same: about 1.2 million bases.
# Each contig has a GC content of its own, and carries a repeated motif that k-mer counts show.

function random() {  # a linear congruential generator, so that every awk makes the same genome
  state = (state * 69069 + 12345) % 4294967296
  return state / 4294967296
}

function base(gc,    x) {
  x = random()
  if (x < gc) return x < gc / 2 ? "G" : "C"
  return x < gc + (1 - gc) / 2 ? "A" : "T"
}

function contig(name, bases, gc,    line, left) {
  print ">" name " synthetic gc=" gc
  for (left = bases; left > 0; left -= length(line)) {
    if (random() < 0.05) {
      line = "GATTACAGATTACAGATTACAGATTACA"
    } else {
      line = ""
      while (length(line) < 60) line = line base(gc)
    }
    print line
  }
}

BEGIN {
  state = 20240229
  contig("contig1", 600000, 0.41)
  contig("contig2", 400000, 0.52)
  contig("contig3", 200000, 0.65)
}
