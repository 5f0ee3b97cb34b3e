"""The checks find what they are for, and nothing else."""

import check

ORDER = check.read_layers("# order\nbase\nos codec\nwire/kafka\nbroker\n")


def whats(found):
    return [what for _, what in found]


def test_layers_are_ranked_by_line():
    assert ORDER == {"base": 1, "os": 2, "codec": 2, "wire/kafka": 3, "broker": 4}
    assert check.module_of("wire/kafka/header.h", ORDER) == "wire/kafka"
    assert check.module_of("nowhere/x.h", ORDER) is None


def test_includes_may_go_down_only():
    assert check.check_layers("broker/a.cc", '#include "os/file.h"\n#include <vector>\n', ORDER) == []
    assert check.check_layers("os/a.cc", '#include "os/file.h"\n', ORDER) == []
    assert [n for n, _ in check.check_layers("os/a.cc", '\n#include "broker/b.h"\n', ORDER)] == [2]
    assert "beside or above" in whats(check.check_layers("os/a.cc", '#include "codec/crc32c.h"\n', ORDER))[0]


def test_internal_headers_stay_inside():
    assert check.check_layers("os/a.cc", '#include "os/internal/x.h"\n', ORDER) == []
    assert "internal" in whats(check.check_layers("broker/a.cc", '#include "os/internal/x.h"\n', ORDER))[0]


def test_style_findings_name_their_line():
    text = "#pragma once\n" + "x" * 121 + "\nint a; \n// TO" + "DO later\n"
    assert [n for n, _ in check.check_style("os/a.h", text, ORDER)] == [2, 3, 4]


def test_long_files_and_bare_headers_are_found():
    assert "split" in whats(check.check_style("os/a.cc", "\n" * 601, ORDER))[0]
    assert "#pragma once" in whats(check.check_style("os/a.h", "int a;\n", ORDER))[0]


def test_heavy_headers_stay_with_their_module():
    assert whats(check.check_style("broker/a.cc", "#include <rocksdb/db.h>\n", ORDER)) == ["only stream may include this"]
    assert len(check.check_style("os/a.h", "#pragma once\n#include <curl/curl.h>\n", ORDER)) == 1


def test_tests_do_not_sleep():
    assert len(check.check_style("os/a_test.cc", "std::this_thread::sleep_for(1ms);\n", ORDER)) == 1
