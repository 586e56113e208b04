#!/bin/sh
# Takes out of an installed environment what no running collector reads.
# Usage: slim.sh VENV          Needs `strip` (binutils). Each step says why; tests/integration/test_image.py proves the result.
set -eu
python=$1/bin/python
cd "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
size() { echo "$(du -sm . | cut -f1) MB $1"; }
size "as installed"

# Symbols that only a debugger reads: 23 MB of zstandard, 12 MB of uvloop. Libraries that wheels bring along in *.libs
# were moved about by auditwheel, and are broken when they are stripped again ("not page-aligned").
find . -name '*.so' ! -path './*.libs/*' -exec strip --strip-unneeded {} +
size "without symbols"

# The tests of libraries, what they would be built with, and what only type checkers read.
find . -type d -name tests -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.py[xd]' -o -name '*.pxd' -o -name '*.[cha]' -o -name '*.hpp' \) -delete
size "without tests, stubs and sources of extensions"

# NumPy: compilers of Fortran and of extensions, a module of its own tests, and mathematics that `adversarial` (vectors,
# matrices) never asks for; NumPy imports each of them when it is first used.
rm -rf numpy/f2py numpy/distutils numpy/random numpy/fft numpy/ma numpy/polynomial numpy/testing numpy/_pyinstaller
rm -f numpy/_core/_simd.*.so
# zstandard: the way into libzstd for PyPy, beside the one for CPython.
rm -f zstandard/_cffi.*.so
# Numbers such as 110 and 911: `redaction` reads the numbering plans only.
rm -f phonenumbers/shortdata/region_*.py
# pydantic: its predecessor, for who has not moved on.
rm -rf pydantic/v1
size "without parts that are not imported"

# A table of prices of 1.5 MB is kept compiled only: it is data that no traceback shows, and the slowest module to compile.
# Bytecode of all that a start imports would be 14 MB and save a second of it.
"$python" -m compileall -q -b --invalidation-mode unchecked-hash genai_prices/data.py
rm genai_prices/data.py
size "with one table as bytecode"
