"""Answers requests to a SavedModel through TensorFlow's C API: TF_LoadSessionFromSavedModel, as TF Serving does.

Run as a script in a process of its own: c_api.py EXPORT IN.npz OUT.npz. IN holds `<request>/<signature>/<input>`, OUT
gets `<request>/<signature>/<output>`. Imports TensorFlow only for its library and for the protocol buffer that names
the signatures' tensors.
"""

import ctypes
import glob
import os
import sys

import numpy as np

FLOAT, INT32, STRING = 1, 3, 7


class Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p))


class Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def library():
    import tensorflow as tf

    folder = os.path.dirname(tf.__file__)
    loaded = ctypes.CDLL(sorted(glob.glob(f"{folder}/libtensorflow_cc.so.2*"))[0])
    for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel"):
        getattr(loaded, name).restype = ctypes.c_void_p
    for name in ("TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData"):
        getattr(loaded, name).restype = ctypes.c_void_p
    loaded.TF_Message.restype = ctypes.c_char_p
    loaded.TF_Dim.restype = ctypes.c_int64
    return loaded


def check(lib, status, what):
    if lib.TF_GetCode(status):
        sys.exit(f"{what}: code {lib.TF_GetCode(status)}: {lib.TF_Message(status).decode()}")


def pointer(value):
    return ctypes.c_void_p(value)


def make_tensor(lib, array):
    kind = STRING if array.dtype.kind == "S" else INT32 if array.dtype == np.int32 else FLOAT
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    size = 24 * len(array) if kind == STRING else array.nbytes
    tensor = lib.TF_AllocateTensor(kind, shape, array.ndim, ctypes.c_size_t(size))
    data = lib.TF_TensorData(pointer(tensor))
    if kind == STRING:
        for row, content in enumerate(array):
            slot = ctypes.c_void_p(data + 24 * row)
            lib.TF_StringInit(slot)
            lib.TF_StringCopy(slot, bytes(content), ctypes.c_size_t(len(content)))
    else:
        ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, array.nbytes)
    return tensor


def read_tensor(lib, tensor):
    shape = [lib.TF_Dim(pointer(tensor), axis) for axis in range(lib.TF_NumDims(pointer(tensor)))]
    assert lib.TF_TensorType(pointer(tensor)) == FLOAT
    data = (ctypes.c_float * int(np.prod(shape))).from_address(lib.TF_TensorData(pointer(tensor)))
    return np.array(data, np.float32).reshape(shape)


def load(lib, export, status):
    """Session and graph of the version."""
    graph, options = pointer(lib.TF_NewGraph()), pointer(lib.TF_NewSessionOptions())
    tags = (ctypes.c_char_p * 1)(b"serve")
    session = lib.TF_LoadSessionFromSavedModel(options, None, export.encode(), tags, 1, graph, None, status)
    check(lib, status, "load")
    return pointer(session), graph


def run(lib, session, feeds, fetches, status, what):
    """Values of the outputs for the inputs: lists of (Output, tensor) and of Output."""
    values = (ctypes.c_void_p * len(fetches))()
    lib.TF_SessionRun(
        session,
        None,
        (Output * len(feeds))(*(item for item, _ in feeds)),
        (ctypes.c_void_p * len(feeds))(*(tensor for _, tensor in feeds)),
        len(feeds),
        (Output * len(fetches))(*fetches),
        values,
        len(fetches),
        None,
        0,
        None,
        status,
    )
    check(lib, status, what)
    return [read_tensor(lib, tensor) for tensor in values]


def main(export, given, target):
    from tensorflow.core.protobuf import saved_model_pb2

    assert "tfgalaxy" not in sys.modules
    lib = library()
    status = pointer(lib.TF_NewStatus())
    session, graph = load(lib, export, status)
    with open(os.path.join(export, "saved_model.pb"), "rb") as stream:
        signatures = saved_model_pb2.SavedModel.FromString(stream.read()).meta_graphs[0].signature_def

    def output(info):
        operation, index = info.name.rsplit(":", 1)
        return Output(lib.TF_GraphOperationByName(graph, operation.encode()), int(index))

    data, results = np.load(given), {}
    for request, name in sorted({tuple(key.split("/")[:2]) for key in data.files}):
        signature, what = signatures[name], f"{request}/{name}"
        feeds = [(output(info), make_tensor(lib, data[f"{what}/{key}"])) for key, info in signature.inputs.items()]
        names = sorted(signature.outputs)
        values = run(lib, session, feeds, [output(signature.outputs[key]) for key in names], status, what)
        results.update({f"{what}/{key}": value for key, value in zip(names, values, strict=True)})
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
