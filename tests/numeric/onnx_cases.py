#!/usr/bin/env python3
"""Writes the cases of operators that Python's onnx makes, in the form of ONNX's test data: FOLDER/node/NAME/model.onnx and
test_data_set_0. Prints how many. Cases of sequences and optionals are left out.

    onnx_cases.py FOLDER
"""
import os
import sys
import warnings

import numpy as np
from onnx import numpy_helper
from onnx.backend.test.case import node

warnings.filterwarnings("ignore")
count = 0
for case in node.collect_testcases(None):
    if case.model is None or not case.data_sets:
        continue
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(array, (np.ndarray, np.generic)) for array in [*inputs, *outputs]):
        continue
    folder = f"{sys.argv[1]}/node/{case.name}"
    os.makedirs(folder + "/test_data_set_0")
    with open(folder + "/model.onnx", "wb") as file:
        file.write(case.model.SerializeToString())
    for what, arrays in (("input", inputs), ("output", outputs)):
        for i, array in enumerate(arrays):
            with open(f"{folder}/test_data_set_0/{what}_{i}.pb", "wb") as file:
                file.write(numpy_helper.from_array(np.asarray(array)).SerializeToString())
    count += 1
print(count)
