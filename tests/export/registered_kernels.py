"""Prints which of the ops named on standard input have no CPU kernel in TensorFlow's bare C library.

A program for a process of its own: the library is loaded without the Python package, whose kernels (PyFunc and the
like) and whose custom ops (TF Addons) are then absent, as they are from TF Serving's stock build.
"""

import ctypes
import glob
import importlib.util
import os
import sys


class Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p))


def main():
    folder = os.path.dirname(importlib.util.find_spec("tensorflow").origin)
    library = ctypes.CDLL(sorted(glob.glob(f"{folder}/libtensorflow_cc.so.2*"))[0])
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_GetRegisteredKernelsForOp.restype = ctypes.POINTER(Buffer)
    status = ctypes.c_void_p(library.TF_NewStatus())
    for name in sys.stdin.read().split():
        kernels = library.TF_GetRegisteredKernelsForOp(name.encode(), status).contents
        # A serialised KernelList: the device type of each kernel stands in it as text.
        listed = ctypes.string_at(kernels.data, kernels.length)
        if b"CPU" not in listed and b"DEFAULT" not in listed:
            print(name)
    assert "tensorflow" not in sys.modules


if __name__ == "__main__":
    main()
