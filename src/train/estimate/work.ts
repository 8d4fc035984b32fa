/** The arithmetic of a whole training, from the graph's costs, so that two configurations can be compared before either runs. Pure. */
import { macsOf } from '../../graph/costs.ts';
import type { Graph } from '../../graph/graph.ts';
import { isFrozen } from '../../graph/parts.ts';

/** What a training computes, and how often. */
export interface Plan {
  /** With what is frozen. */
  readonly graph: Graph;
  readonly epochs: number;
  /** Of one epoch. */
  readonly trainingImages: number;
  /** Of one evaluation; 0 without validation images. */
  readonly evaluatedImages: number;
  /** Scored once, at the end. */
  readonly testedImages: number;
  /** Epochs between evaluations. */
  readonly evaluateEvery: number;
}

/** Gradients cost twice what the forward pass does: one product for the layer's input, one for its weights. */
const trained = 3;

/** Multiply-adds of one image in training; frozen nodes have a forward pass only. */
export const trainingMacs = (graph: Graph): number =>
  graph.nodes.reduce((sum, node) => sum + macsOf(node) * (isFrozen(graph, node) ? 1 : trained), 0);

const evaluationMacs = ({ nodes }: Graph): number =>
  nodes.reduce((sum, node) => sum + (node.head === 'main' ? macsOf(node) : 0), 0);

export const evaluationsIn = ({ epochs, evaluateEvery, evaluatedImages }: Plan): number =>
  evaluatedImages === 0 ? 0 : Math.max(1, Math.ceil(epochs / evaluateEvery));

/** Multiply-adds of a training with its evaluations. */
export const workOf = (plan: Plan): number =>
  plan.epochs * plan.trainingImages * trainingMacs(plan.graph) +
  (evaluationsIn(plan) * plan.evaluatedImages + plan.testedImages) * evaluationMacs(plan.graph);
