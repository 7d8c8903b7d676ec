"""A network with the same weights in TensorFlow Lite Micro's interpreter: its reference kernels for this machine.

    PYTHON benchmarks/c_tflite_micro.py DESCRIPTION.json IMAGES

Run by `benchmarks/c_kernels.py --tflite-micro PYTHON`, where PYTHON has the package tflite-micro, and neither torch nor
nas. The model is put together with the schema that the package has. Prints the class of each image, and `Invoke` is
what is counted. It rounds in its own way, and averages keep the scale of what they average.
"""

import json
import sys
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.python.tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

CODES = schema.BuiltinOperator
Layer = dict[str, Any]


class Writer:
    """Tensors, buffers and operators so far."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.buffers, self.codes = [schema.BufferT()], list[int]()

    def tensor(self, shape: list[int], kind: int, scales: Any, zero: int, values: Any = None, axis: int = 0) -> int:
        tensor, q = schema.TensorT(), schema.QuantizationParametersT()
        scales = np.atleast_1d(np.asarray(scales, np.float32))
        q.scale, q.zeroPoint, q.quantizedDimension = scales, np.full(len(scales), zero, np.int64), axis
        tensor.shape, tensor.type, tensor.quantization, tensor.name = np.asarray(shape, np.int32), kind, q, "t"
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, code: int, inputs: list[int], output: int, kind: str, **options: Any) -> None:
        operator = schema.OperatorT()
        if code not in self.codes:
            self.codes.append(code)
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = np.asarray(inputs, np.int32), np.asarray([output], np.int32)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = getattr(schema, f"{kind}T")()
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)

    def model(self, first: int, last: int) -> bytes:
        model, self.graph.inputs, self.graph.outputs = schema.ModelT(), np.array([first]), np.array([last])
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [self.graph], self.buffers, []
        for each in self.codes:
            code = schema.OperatorCodeT()
            code.deprecatedBuiltinCode = code.builtinCode = each
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def main() -> None:
    layers = json.loads(Path(sys.argv[1]).read_text())
    height, width = layers[0]["input"][1:]
    images = np.fromfile(sys.argv[2], np.uint8).reshape(-1, 1, height, width, 1)
    interpreter = runtime.Interpreter.from_bytes(built(layers), arena_size=1 << 20)
    for image in images:
        interpreter.set_input((image.astype(np.int16) - 128).astype(np.int8), 0)
        interpreter.invoke()
        print(int(np.argmax(interpreter.get_output(0))))


def built(layers: list[Layer]) -> bytes:
    writer = Writer()
    first = now = activations(writer, layers[0]["input"], layers[0]["scale"], layers[0]["zero"])
    for layer in layers:
        now = {"convolution": convolution, "maximum": pool, "average": pool}[layer["kind"]](writer, layer, now)
    return writer.model(first, now)


def activations(writer: Writer, shape: list[int], scale: float, zero: int) -> int:
    channels, height, width = shape
    return writer.tensor([1, height, width, channels], schema.TensorType.INT8, scale, zero - 128)


def convolution(writer: Writer, layer: Layer, now: int) -> int:
    weights, depthwise = np.asarray(layer["weights"], np.int8), layer["groups"] > 1
    scales, kernel, padding = np.asarray(layer["weight_scales"]), layer["kernel"], layer["padding"]
    if layer["is_dense"]:
        filters = writer.tensor([len(weights), weights[0].size], schema.TensorType.INT8, scales, 0, weights)
        code, kind, options = CODES.FULLY_CONNECTED, "FullyConnectedOptions", {}
    else:
        same = padding and layer["stride"] == 1 and 2 * padding == kernel - 1
        if padding and not same:
            now = padded(writer, layer, now)
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        values = weights.transpose(order)
        filters = writer.tensor(list(values.shape), schema.TensorType.INT8, scales, 0, values, 3 if depthwise else 0)
        options = {"padding": 0 if same else 1, "strideH": layer["stride"], "strideW": layer["stride"]}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1} | ({"depthMultiplier": 1} if depthwise else {})
        code = CODES.DEPTHWISE_CONV_2D if depthwise else CODES.CONV_2D
        kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    bias = np.asarray(layer["bias"], np.int32)
    biases = writer.tensor([len(bias)], schema.TensorType.INT32, scales * layer["scale"], 0, bias)
    output = activations(writer, layer["output"], layer["output_scale"], layer["output_zero"])
    if layer["is_dense"]:
        writer.graph.tensors[output].shape = np.asarray([1, len(weights)], np.int32)
    writer.operator(code, [now, filters, biases], output, kind, **options)
    return output


def padded(writer: Writer, layer: Layer, now: int) -> int:
    channels, height, width = layer["input"]
    p = layer["padding"]
    sides = writer.tensor([4, 2], schema.TensorType.INT32, 1.0, 0, np.array([[0, 0], [p, p], [p, p], [0, 0]], np.int32))
    shape = [channels, height + 2 * p, width + 2 * p]
    output = activations(writer, shape, layer["scale"], layer["zero"])
    writer.operator(CODES.PAD, [now, sides], output, "PadOptions")
    return output


def pool(writer: Writer, layer: Layer, now: int) -> int:
    output = activations(writer, layer["output"], layer["output_scale"], layer["output_zero"])
    code = CODES.MAX_POOL_2D if layer["kind"] == "maximum" else CODES.AVERAGE_POOL_2D
    size = {"filterHeight": layer["kernel"], "filterWidth": layer["kernel"]}
    stride = {"strideH": layer["stride"], "strideW": layer["stride"]}
    writer.operator(code, [now], output, "Pool2DOptions", padding=1, **size, **stride)
    return output


if __name__ == "__main__":
    main()
