#include "storage/content_type.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sparkles {
namespace {

constexpr char kBinary[] = "application/octet-stream";
constexpr char kGzip[] = "application/gzip";
constexpr char kHdf5[] = "application/x-hdf5";

struct Extension {
  absl::string_view extension;
  absl::string_view type;
};

// Some text (FASTA, YAML, scripts) is text/plain, because browsers would save it under its own type
// instead of showing it.
constexpr Extension kExtensions[] = {
    // Text.
    {"txt", kPlainText},
    {"log", kPlainText},
    {"csv", "text/csv; charset=utf-8"},
    {"tsv", "text/tab-separated-values; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"xml", "text/xml; charset=utf-8"},
    {"yaml", kPlainText},
    {"yml", kPlainText},
    {"py", kPlainText},
    {"r", kPlainText},
    {"sh", kPlainText},
    {"json", kJsonType},
    {"ipynb", kJsonType},
    {"jsonl", kPlainText},
    {"geojson", "application/geo+json"},
    // Sequences, variants and intervals.
    {"fasta", kPlainText},
    {"fa", kPlainText},
    {"fastq", kPlainText},
    {"fq", kPlainText},
    {"vcf", kPlainText},
    {"sam", kPlainText},
    {"bed", kPlainText},
    {"gff", kPlainText},
    {"gtf", kPlainText},
    {"bam", kBinary},
    {"cram", kBinary},
    // Tables and arrays.
    {"parquet", "application/vnd.apache.parquet"},
    {"feather", "application/vnd.apache.arrow.file"},
    {"h5", kHdf5},
    {"hdf5", kHdf5},
    {"h5ad", kHdf5},
    {"nc", "application/x-netcdf"},
    {"npy", kBinary},
    {"npz", "application/zip"},
    {"sqlite", "application/vnd.sqlite3"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    // Pictures and documents.
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"svg", "image/svg+xml"},
    {"webp", "image/webp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    // Compressed files and archives.
    {"gz", kGzip},
    {"tgz", kGzip},
    {"bz2", "application/x-bzip2"},
    {"xz", "application/x-xz"},
    {"zst", "application/zstd"},
    {"zip", "application/zip"},
    {"tar", "application/x-tar"},
};

struct Signature {
  absl::string_view bytes;
  absl::string_view type;
};

// A view of all bytes of a literal, NUL included.
template <size_t kSize>
constexpr absl::string_view Bytes(const char (&literal)[kSize]) {
  return absl::string_view(literal, kSize - 1);
}

constexpr Signature kSignatures[] = {
    {"%PDF-", "application/pdf"},
    {"%!PS-Adobe-", "application/postscript"},
    {"\x89PNG\r\n\x1A\n", "image/png"},
    {"GIF87a", "image/gif"},
    {"GIF89a", "image/gif"},
    {"\xFF\xD8\xFF", "image/jpeg"},
    {Bytes("II*\0"), "image/tiff"},
    {Bytes("MM\0*"), "image/tiff"},
    {"\x1F\x8B\x08", kGzip},
    {"BZh", "application/x-bzip2"},
    {Bytes("\xFD"
           "7zXZ\0"),
     "application/x-xz"},
    {"\x28\xB5\x2F\xFD", "application/zstd"},
    {"PK\x03\x04", "application/zip"},
    {"7z\xBC\xAF\x27\x1C", "application/x-7z-compressed"},
    {"\x89HDF\r\n\x1A\n", kHdf5},
    {"PAR1", "application/vnd.apache.parquet"},
    {Bytes("SQLite format 3\0"), "application/vnd.sqlite3"},
    {"\xEF\xBB\xBF", kPlainText},
    {"\xFE\xFF", "text/plain; charset=utf-16be"},
    {"\xFF\xFE", "text/plain; charset=utf-16le"},
};

// The start of markup, after white space.
constexpr Signature kMarkup[] = {
    {"<!doctype html", "text/html; charset=utf-8"},
    {"<html", "text/html; charset=utf-8"},
    {"<?xml", "text/xml; charset=utf-8"},
};

// True for a "binary data byte" of the WHATWG standard, which text does not have.
bool IsBinaryByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x08 || byte == 0x0B || (byte >= 0x0E && byte <= 0x1A) ||
         (byte >= 0x1C && byte <= 0x1F);
}

}  // namespace

std::string ContentTypeOfName(absl::string_view name) {
  const absl::string_view base = name.substr(name.rfind('/') + 1);
  const size_t dot = base.rfind('.');
  if (dot == absl::string_view::npos || dot == 0) return "";
  const std::string extension = absl::AsciiStrToLower(base.substr(dot + 1));
  const auto* const found =
      std::find_if(std::begin(kExtensions), std::end(kExtensions),
                   [&](const Extension& known) { return known.extension == extension; });
  return found == std::end(kExtensions) ? "" : std::string(found->type);
}

std::string SniffContentType(absl::string_view first_bytes) {
  first_bytes = first_bytes.substr(0, kSniffedBytes);
  for (const Signature& signature : kSignatures) {
    if (absl::StartsWith(first_bytes, signature.bytes)) return std::string(signature.type);
  }
  if (std::any_of(first_bytes.begin(), first_bytes.end(), IsBinaryByte)) return kBinary;
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(first_bytes);
  for (const Signature& markup : kMarkup) {
    if (absl::StartsWithIgnoreCase(text, markup.bytes)) return std::string(markup.type);
  }
  return kPlainText;
}

}  // namespace sparkles
