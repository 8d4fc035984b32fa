/** What a claim of the paper is as an experiment: plain data over networks and recipes. */
import type { Optimizer } from '../compile/optimizers/optimizers.ts';
import type { Augmentation } from '../images/augmentation.ts';
import type { NetworkOptions } from '../networks/network-options.ts';
import type { Network } from '../networks/notation.ts';
import type { RecipeNumbers, Schedule } from '../train/recipe/recipe-options.ts';

/**
 * How large an experiment is. `minutes` shows that it runs and what its report looks like; `hours` is what two cores can say; `gpu` is for one
 * large device. `smoke` is for the tests: networks and images too few to learn anything.
 */
export const scaleNames = ['smoke', 'minutes', 'hours', 'gpu'] as const;
export type ScaleName = (typeof scaleNames)[number];

interface Words {
  /** As the command line names it. */
  readonly id: string;
  readonly title: string;
  /** The claim in the paper's words. */
  readonly quote: string;
  /** The section, figures or tables where it stands. */
  readonly where: string;
  /** What differs between the arms, and what is kept. */
  readonly varied: string;
  /** How the experiment is smaller than the paper's, and what speaks for it. */
  readonly reduction: string;
  /** What single runs at a smaller size have shown, as long as there is no result. */
  readonly pilot?: string;
  /** What the scale `hours` may take, in minutes, on two cores with bfloat16 arithmetic (0.7 TFLOP/s): it was sized for that. */
  readonly budgetMinutes: number;
  /** What this experiment cannot show, whatever comes out. */
  readonly cannotShow: readonly string[];
}

/** What an arm's training changes of the scale's recipe. */
export interface RecipeChanges extends Partial<RecipeNumbers> {
  /** A named recipe. */
  readonly name?: 'paper' | 'small-data';
  readonly optimizer?: Optimizer;
  readonly schedule?: Schedule;
  readonly augmentation?: Partial<Augmentation>;
}

/** One of the things that are compared: a network with a recipe, trained once for each seed. */
export interface Arm {
  /** Short, for legends and names of folders: `residual-v2`. */
  readonly name: string;
  readonly about: string;
  /** A network's name; with `figure` only how it is called. */
  readonly network: string;
  /** A network that has no name of its own: written into the experiment's folder, where the trainings read it. */
  readonly figure?: Network;
  readonly options: NetworkOptions;
  /** The arm whose multiply-adds this one's width is solved for; its own width is where the search begins. */
  readonly costOf?: string;
  readonly recipe?: RecipeChanges;
  /** Arms of one panel are drawn together: at most six, or colours come twice. */
  readonly panel: string;
  /** Other panels that it is drawn in for comparison. */
  readonly alsoIn?: readonly string[];
  /** Added to the seed, so that members of an ensemble differ. */
  readonly seedOffset?: number;
  /** Only so many of the scale's seeds, for an arm that takes long. */
  readonly seeds?: number;
  /** Default: the machine's fastest. */
  readonly precision?: 'float32';
  /** Epochs between evaluations. Default 1. */
  readonly evaluateEvery?: number;
  /** Where a rate is searched: the arms of a group are one method, and the best of them stands for it. */
  readonly group?: string;
}

/** Two arms, or groups of arms, that share seeds: the difference is `arm` minus `against`. */
export interface Pair {
  readonly arm: string;
  readonly against: string;
}

export interface TrainingScale {
  readonly seeds: number;
  /** Where --data names none. Undefined: photographs are needed, and the user has to name them. */
  readonly data?: string;
  readonly recipe: RecipeChanges & {
    readonly name: 'paper' | 'small-data';
    readonly epochs: number;
    readonly batch: number;
  };
  readonly limitTrain?: number | undefined;
  readonly limitValidation?: number | undefined;
  readonly limitTest?: number | undefined;
  /** What is different where --data names other data: folders of photographs have fewer images. */
  readonly otherData?: {
    readonly epochs?: number;
    readonly seeds?: number;
    readonly limitTrain?: number | undefined;
    readonly limitValidation?: number | undefined;
    readonly limitTest?: number | undefined;
  };
  readonly arms: readonly Arm[];
  readonly pairs: readonly Pair[];
}

/** What is read from trained runs beside their errors. */
export type Measure = 'reach' | 'zeros' | 'residuals' | 'cost';

export interface TrainingClaim extends Words {
  readonly kind: 'training';
  readonly measures: readonly Measure[];
  /** Which numbers of crops are compared, and the arms of the ensemble. */
  readonly crops?: { readonly counts: readonly (1 | 10 | 12 | 144)[]; readonly ensemble: readonly string[] };
  readonly scales: Readonly<Record<ScaleName, TrainingScale>>;
}

export interface MemoryScale {
  readonly networks: readonly { readonly network: string; readonly options: NetworkOptions }[];
  readonly batches: readonly number[];
  /** Measured processes of each side, in turns; pairs of them are compared. */
  readonly seeds: number;
  /** Steps of each. */
  readonly rounds: number;
}

/** A claim about memory and speed, for which nothing is trained. */
export interface MemoryClaim extends Words {
  readonly kind: 'memory';
  readonly scales: Readonly<Record<ScaleName, MemoryScale>>;
}

export type Claim = TrainingClaim | MemoryClaim;
