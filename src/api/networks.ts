/** `inception-networks/networks`: networks as data, and what follows from it. Pure: works in a browser. */
export { drawDiagram } from '../diagram/diagram.ts';
export { InceptionError, UsageError } from '../errors.ts';
export { buildGraph, GraphError, smallestInput } from '../graph/build-graph.ts';
export { compareGraphs, type PartDifference } from '../graph/compare-graphs.ts';
export {
  type Costs,
  costsOf,
  type LayerSummary,
  summariseLayers,
  summariseParts,
} from '../graph/costs.ts';
export {
  type Attributes,
  type Graph,
  type Node,
  type NodeOf,
  type Op,
  type Parameter,
  parametersOf,
  type Role,
  type Shape,
} from '../graph/graph.ts';
export {
  type FieldAxis,
  fieldOfUnit,
  type PixelBox,
  type ReceptiveField,
  receptiveFields,
} from '../graph/receptive-fields.ts';
export { NetworkError } from '../networks/check-network.ts';
export {
  type ConfiguredNetwork,
  configure,
  findNetwork,
  knownNetworks,
  NetworkOptionError,
  type NetworkOptions,
  networks,
  registerNetwork,
} from '../networks/networks.ts';
export {
  type Auxiliary,
  avgPool,
  type Branch,
  type ConvMarks,
  type ConvOptions,
  conv,
  dense,
  depthwise,
  dropout,
  embedding,
  filterConcat,
  fullyConnected,
  globalAvgPool,
  type Layer,
  type Layers,
  linearSum,
  type Marks,
  maxPool,
  type Network,
  relu,
  repeat,
  residual,
  type Stage,
  sequence,
  sum,
  type Window,
} from '../networks/notation.ts';
