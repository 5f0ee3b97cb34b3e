// What the system lets this process have.
#pragma once

#include <cstddef>

namespace headrace::os {

/// Raises the soft limit of open files (RLIMIT_NOFILE) to the hard one; the limit that holds then.
size_t raise_open_files_limit();

}  // namespace headrace::os
