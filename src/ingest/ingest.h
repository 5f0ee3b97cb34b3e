// The ingests that this program has. An ingest is a file x_ingest.cc here that defines
// `const flow::IngestComponent& x_ingest()`; the build finds it by its name and writes the table.
#pragma once

#include <span>

#include "flow/ingest.h"

namespace headrace::ingest {

/// Every ingest of this folder, in alphabetical order.
std::span<const flow::IngestComponent* const> ingest_table();

}  // namespace headrace::ingest
