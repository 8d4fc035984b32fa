/** A rule for each operator whose shape follows from its inputs. Those without one have no known shape. */
import { arithmeticRules } from './arithmetic-rules.ts';
import { structureRules } from './structure-rules.ts';
import type { ShapeRule } from './value.ts';
import { windowRules } from './window-rules.ts';

export const shapeRules: ReadonlyMap<string, ShapeRule> = new Map(
  Object.entries({ ...arithmeticRules, ...structureRules, ...windowRules }),
);
