/** The parts of ONNX's protocol buffers that the model needs, with the field numbers of its specification. */

import protobuf from "protobufjs";

const SCHEMA = `
  syntax = "proto3";
  message ModelProto {
    int64 ir_version = 1; string producer_name = 2; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated AttributeProto attribute = 5; string domain = 7;
  }
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto { TensorTypeProto tensor_type = 1; }
  message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated DimensionProto dim = 1; }
  message DimensionProto { int64 dim_value = 1; string dim_param = 2; }
`;

const MODEL = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");

/** The specification's numbers of element types. */
export const ELEMENTS = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
export type Element = keyof typeof ELEMENTS;

export interface OnnxNode {
  op: string;
  inputs: string[];
  outputs: string[];
  /** Whole numbers are integers; a number in a list is a float. */
  attributes?: Record<string, number | [float: number]>;
  /** ONNX's own where it says nothing. */
  domain?: string;
}

export interface OnnxTensor {
  name: string;
  element: Element;
  dims: number[];
  bytes: Uint8Array;
}

export interface OnnxValue {
  name: string;
  element: Element;
  /** Names stand for lengths that are known when it runs. */
  dims: (number | string)[];
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  weights: OnnxTensor[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

/** The bytes of an `.onnx` file. */
export function encodeModel({ nodes, weights, inputs, outputs }: OnnxGraph): Uint8Array {
  return MODEL.encode({
    ir_version: 10,
    producer_name: "lingualinked-bench",
    opset_import: [
      { domain: "", version: 21 },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name: "qwen3",
      node: nodes.map(encodeNode),
      initializer: weights.map(encodeTensor),
      input: inputs.map(encodeValue),
      output: outputs.map(encodeValue),
    },
  }).finish();
}

function encodeNode({ op, inputs, outputs, attributes = {}, domain = "" }: OnnxNode): object {
  const attribute = Object.entries(attributes).map(([name, value]) =>
    typeof value === "number" ? { name, i: value, type: INT } : { name, f: value[0], type: FLOAT },
  );
  return { name: outputs[0], op_type: op, input: inputs, output: outputs, attribute, domain };
}

function encodeTensor({ name, element, dims, bytes }: OnnxTensor): object {
  return { name, data_type: ELEMENTS[element], dims, raw_data: bytes };
}

function encodeValue({ name, element, dims }: OnnxValue): object {
  const dim = dims.map((size) => (typeof size === "number" ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: ELEMENTS[element], shape: { dim } } } };
}

/** Kinds of attributes. */
const [FLOAT, INT] = [1, 2] as const;
