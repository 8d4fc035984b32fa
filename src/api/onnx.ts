/** `inception-networks/onnx`: models as ONNX files. */

export type { CalibrationMethod } from '../int8/range-finding.ts';
export { DeployError } from '../onnx/deploy-error.ts';
export type { ModelInput } from '../onnx/model-metadata.ts';
export {
  type Calibration,
  type ExportOnnxOptions,
  exportOnnx,
  type OnnxPrecision,
  type OnnxReport,
} from '../onnx/write/export-onnx.ts';
export type { AccuracyReport } from '../onnx/write/int8/accuracy.ts';
export type { ExportPasses } from '../onnx/write/onnx-graph-of.ts';
export type { Parity, ParityReference } from '../onnx/write/parity.ts';
