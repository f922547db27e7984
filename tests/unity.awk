# Joins C++ sources into one, so that a compiler reads their headers once. The unnamed namespace of
# each file gets a name, so that equal names of two files do not clash. It is an inline namespace
# where code below it may use its names. Messages of compilers name the original file and line.
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
