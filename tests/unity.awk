# Joins C++ sources into one file, so that the compiler reads their headers once.
# The unnamed namespace of each file gets a name, so that equal names in two files do not conflict.
# In files that are not tests this namespace is inline, because code after it uses its names.
# Messages of the compiler name the original file and line.
FNR == 1 {
  name = "in_" FILENAME
  gsub(/[^A-Za-z0-9]/, "_", name)
  kind = FILENAME ~ /_test\.cc$/ ? "namespace " : "inline namespace "
  printf "#line 1 \"%s\"\n", FILENAME
}
{
  sub(/^namespace \{$/, kind name " {")
  print
}
