/**
 * The driver of `cargo xtask bench engine`: our engine beside others, in the same Chromium, on the same weights.
 * Options come as one JSON object by standard input; progress goes to standard error; standard output has a table, and
 * the result as its last line.
 */

import { drive, type Tell } from "../driver.ts";
import { Server } from "../server.ts";
import type { Contender } from "./contender.ts";
import type { Sample } from "./measure.ts";
import { ggufName, makeModels, ONNX_PRECISIONS, onnxName } from "./models.ts";
import { ours } from "./ours.ts";
import { tokenParts, type PartsRow } from "./parts.ts";
import { PeerSite } from "./peer-site.ts";
import { onnxRuntime, wllama } from "./peers.ts";
import { cpuRatios, headline, rowsOf, webgpuRatios, type Ratio, type Row } from "./report.ts";
import { responsiveness, type ResponsivenessFound } from "./responsiveness.ts";
import { runRounds } from "./rounds.ts";
import { inWords, lookAround, type Surroundings } from "./surroundings.ts";
import { tableOf } from "./table.ts";
import { PRECISIONS } from "./workload.ts";

interface Options {
  rounds: number;
  /** Where the model's files are kept. */
  models: string;
  /** The folder of the bundled model. */
  stories: string;
}

/** The last line of the bench's output. Ratios are ours over the other's: more than 1 is faster. */
export interface EngineResult {
  /** Over the fastest engine on WebGPU, after the short prompt; null where there is none. */
  decode_ratio: number | null;
  decode_ratio_of: string | null;
  prefill_ratio: number | null;
  prefill_ratio_of: string | null;
  /** Q4_0 over wllama's Q4_0 on two threads of the processor. */
  decode_ratio_to_cpu: number | null;
  /** All wasm of our page. */
  wasm_gzip_bytes: number;
  rows: Row[];
  ratios: Ratio[];
  token_parts: PartsRow[];
  /** Of our page with the bundled model. */
  responsiveness: ResponsivenessFound;
  surroundings: Surroundings;
  /** What `peak_bytes` are. */
  memory: string;
}

async function bench(
  { rounds, models, stories }: Options,
  tell: (line: string) => void,
): Promise<EngineResult> {
  makeModels(models, tell);
  const server = await Server.start({ models: [models, stories] });
  const site = await PeerSite.start(models);
  try {
    const surroundings = await lookAround(site);
    tell(inWords(surroundings));
    const samples = await runRounds(contenders(server, site), { rounds, limitSecs: LIMIT_SECS, tell });
    const parts: PartsRow[] = [];
    for (const precision of PRECISIONS) {
      tell(`the parts of a token's time in ${precision}`);
      parts.push(await tokenParts(server, ggufName(precision), precision));
    }
    tell("the page's responsiveness with the bundled model");
    const responsive = await responsiveness(server, BUNDLED_MODEL, RESPONSIVE_RUNS);
    return { ...result(samples, parts, surroundings), responsiveness: responsive };
  } finally {
    await site.stop();
    await server.stop();
  }
}

/** Those of one precision after one another, so that what is compared is measured close together. */
function contenders(server: Server, site: PeerSite): Contender[] {
  return PRECISIONS.flatMap((precision) => {
    const gguf = ggufName(precision);
    const onnx = ONNX_PRECISIONS.filter((one) => one === precision);
    const backends = ["CPU, 2 threads", "WebGPU"] as const;
    return [
      ours(server, gguf, precision),
      ...backends.map((backend) => wllama(site, gguf, precision, backend)),
      ...onnx.flatMap((one) => backends.map((backend) => onnxRuntime(site, onnxName(one), one, backend))),
    ];
  });
}

function result(
  samples: Sample[],
  token_parts: PartsRow[],
  surroundings: Surroundings,
): Omit<EngineResult, "responsiveness"> {
  const [rows, webgpu, cpu] = [rowsOf(samples), webgpuRatios(samples), cpuRatios(samples)];
  const [decode, prefill] = [
    headline(samples, webgpu, "decode_128"),
    headline(samples, webgpu, "prefill_128"),
  ];
  const toCpu = cpu.find(({ precision, measure }) => precision === "Q4_0" && measure === "decode_128");
  const own = rows.find(({ engine }) => engine === "LinguaLinked");
  return {
    decode_ratio: decode?.ratio ?? null,
    decode_ratio_of: decode && `${decode.precision} over ${decode.over}`,
    prefill_ratio: prefill?.ratio ?? null,
    prefill_ratio_of: prefill && `${prefill.precision} over ${prefill.over}`,
    decode_ratio_to_cpu: toCpu?.ratio ?? null,
    wasm_gzip_bytes: own?.wasm_gzip_bytes ?? 0,
    rows,
    ratios: [...webgpu, ...cpu],
    token_parts,
    surroundings,
    memory: "the largest sum of the proportional set sizes (PSS) of the browser's processes, twice a second",
  };
}

async function main(text: string, tell: Tell): Promise<void> {
  const found = await bench(JSON.parse(text) as Options, tell);
  process.stdout.write(`${tableOf(found)}\n${JSON.stringify(found)}\n`);
}

const BUNDLED_MODEL = "stories-q8_0.gguf";
const RESPONSIVE_RUNS = 3;
/** No round begins that would end later, so that all is done within 45 minutes. */
const LIMIT_SECS = 2400;

drive(main);
