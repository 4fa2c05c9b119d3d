#!/bin/sh
# Prints a Python 3 that has numpy: the one on the PATH, or Debian's own where that is another one without it.
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' > /dev/null 2>&1 && echo "$python" && exit 0
done
exit 1
