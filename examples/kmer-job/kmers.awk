# Counts the k-mers of a FASTA file, both strands as one: a k-mer and its reverse complement are
# the same word. Prints word, count and share, most frequent first.
# Usage: awk -v k=4 -f kmers.awk genome.fa > spectrum-k4.tsv

function reverse_complement(word,    i, result) {
  for (i = length(word); i > 0; i--) result = result complement[substr(word, i, 1)]
  return result
}

BEGIN {
  complement["A"] = "T"; complement["T"] = "A"; complement["C"] = "G"; complement["G"] = "C"
}

/^>/ { tail = ""; next }  # no word spans two contigs

{
  sequence = tail $0
  last = length(sequence) - k + 1
  for (i = 1; i <= last; i++) seen[substr(sequence, i, k)]++
  tail = substr(sequence, last + 1)
}

END {
  for (word in seen) {
    other = reverse_complement(word)
    count[word < other ? word : other] += seen[word]
    total += seen[word]
  }
  print "kmer\tcount\tshare"
  for (word in count)
    printf "%s\t%d\t%.6f\n", word, count[word], count[word] / total | "sort -k2,2nr -k1,1"
}
