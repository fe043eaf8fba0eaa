/** Rounds in which every contender has its turn, so that a slow minute of the machine falls on all of them. */

import { nameOf, type Contender } from "./contender.ts";
import { measure, STEPS, type Sample, type Step } from "./measure.ts";

export interface RoundOptions {
  rounds: number;
  /** No round begins that would last longer than this from the start, by what the longest one took. */
  limitSecs: number;
  tell: (line: string) => void;
}

export async function runRounds(contenders: Contender[], options: RoundOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let longest = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const before = elapsed();
    if (before + longest > options.limitSecs) {
      options.tell(`no time for round ${round} of ${options.rounds}`);
      break;
    }
    // There and back, so that nobody is always the one after the same other.
    const order = round % 2 === 1 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const steps = STEPS.filter((step) => !isOnce(samples, contender, step));
      if (steps.length === 1 || steps[0] !== "load") continue;
      const sample = await measure(contender, round, steps);
      samples.push(sample);
      options.tell(`round ${round}: ${nameOf(contender)}: ${inWords(sample)}`);
      checkTokens(samples, sample);
    }
    longest = Math.max(longest, elapsed() - before);
  }
  return samples;
}

/** What failed, or took very long, is not tried again. */
function isOnce(samples: Sample[], contender: Contender, step: Step): boolean {
  return samples.some(
    (sample) =>
      sample.contender === contender &&
      (sample.failures[step] !== undefined || (sample.secs[step] ?? 0) > LONG_SECS),
  );
}

/** Contenders in full precision compute the same model, or else the figures say nothing. */
function checkTokens(samples: Sample[], sample: Sample): void {
  const isExact = ({ contender, answers }: Sample): boolean =>
    contender.precision === "F32" && answers.load !== undefined;
  const first = samples.find(isExact);
  if (!first || !isExact(sample)) return;
  const [expected, found] = [first, sample].map(({ answers }) => String(answers.load));
  if (expected !== found)
    throw new Error(
      `${nameOf(sample.contender)} answers ${found} where ${nameOf(first.contender)} answers ${expected}: ` +
        "they do not compute the same model",
    );
}

function inWords({ values, failures }: Sample): string {
  const measured = Object.entries(values).map(([name, value]) => `${name} ${value.toPrecision(3)}`);
  const failed = Object.entries(failures).map(([step, why]) => `${step} failed: ${why}`);
  return [...measured, ...failed].join(", ");
}

const LONG_SECS = 100;
