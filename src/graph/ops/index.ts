/** Every operator by its ONNX name: what tests and the verifier walk over. */
import { Add, Div, Max, Min, Mul, Pow, Sub } from './arithmetic';
import { Cast, Equal, Greater, GreaterOrEqual, Identity, Where } from './compare';
import { Conv, ConvTranspose } from './conv';
import {
  Abs,
  Clip,
  Erf,
  Exp,
  Floor,
  LeakyRelu,
  Log,
  Neg,
  Relu,
  Sigmoid,
  Softplus,
  Sqrt,
  Tanh,
} from './elementwise';
import { Gather, GatherElements, ScatterElements, ScatterND, TopK } from './gather';
import { Concat, Expand, Pad, Reshape, Slice, Transpose } from './layout';
import { Gemm, MatMul } from './linear';
import { BatchNormalization, InstanceNormalization, LayerNormalization } from './norm';
import { AveragePool, MaxPool } from './pool';
import { ReduceMax, ReduceMean, ReduceMin, ReduceSum, Softmax } from './reduce';

export const OPS = {
  Abs,
  Add,
  AveragePool,
  BatchNormalization,
  Cast,
  Clip,
  Concat,
  Conv,
  ConvTranspose,
  Div,
  Equal,
  Erf,
  Exp,
  Expand,
  Floor,
  Gather,
  GatherElements,
  Gemm,
  Greater,
  GreaterOrEqual,
  Identity,
  InstanceNormalization,
  LayerNormalization,
  LeakyRelu,
  Log,
  MatMul,
  Max,
  MaxPool,
  Min,
  Mul,
  Neg,
  Pad,
  Pow,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceSum,
  Relu,
  Reshape,
  ScatterElements,
  ScatterND,
  Sigmoid,
  Slice,
  Softmax,
  Softplus,
  Sqrt,
  Sub,
  Tanh,
  TopK,
  Transpose,
  Where,
} as const;

export type OpType = keyof typeof OPS;

export * from './arithmetic';
export * from './compare';
export * from './conv';
export * from './elementwise';
export * from './gather';
export * from './layout';
export * from './linear';
export * from './norm';
export * from './pool';
export * from './reduce';
export * from './resize';
