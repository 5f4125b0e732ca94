import { createReadStream } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { asBoxshipError, errorMessage, FailedPrecondition, InvalidArgument, shellWord } from "@boxship/base";
import {
  describeFault,
  drawReport,
  type Fault,
  type Load,
  nodesOf,
  type Outcome,
  planFaults,
  printReport,
  readScenario,
  sampleLoad,
  shrinkFaults,
  simulate,
} from "@boxship/simulation";

interface Flags {
  readonly seed: number;
  readonly minutes: number;
  readonly loads: readonly Load[];
  /** All that the seed plans for these nodes and minutes. */
  readonly planned: readonly Fault[];
  /** Those of them that happen. */
  readonly faults: readonly Fault[];
  readonly history: string | undefined;
  readonly picture: string | undefined;
}

/** Where lines go. */
export interface SimulationOutput {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

const TERMINAL: SimulationOutput = {
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
};

/**
 * `boxship simulate`: a cluster on a clock that is wound. Prints what happened.
 *
 * @returns the exit status: 1 where something was that must not be
 */
export async function runSimulation(argv: readonly string[], io: SimulationOutput = TERMINAL): Promise<number> {
  const { print } = io;
  try {
    const flags = await parse(argv);
    const { seed, minutes, loads, planned, faults } = flags;
    const run = (some: readonly Fault[]): Promise<Outcome> => simulate({ seed, loads, minutes, faults: some });
    const outcome = await run(faults);
    print(printReport(outcome));
    if (flags.history !== undefined) await write(flags.history, `${outcome.history.join("\n")}\n`);
    if (flags.picture !== undefined) await write(flags.picture, drawReport(outcome));
    if (outcome.violations.length === 0) return 0;
    if (faults.length > 0) {
      const needed = await shrinkFaults(faults, async (some) => (await run(some)).violations.length > 0);
      print(printNeeded(seed, planned, needed));
      print(`to play this again: ${commandFor(argv, planned, needed)}`);
    }
    return 1;
  } catch (error) {
    const { message, remedy } = asBoxshipError(error);
    io.complain(`boxship simulate: ${message}${remedy === undefined ? "" : `\n${remedy}`}`);
    return 1;
  }
}

/** The faults that are enough, by their numbers among all that the seed plans. */
function printNeeded(seed: number, planned: readonly Fault[], needed: readonly Fault[]): string {
  if (needed.length === 0) return `seed ${seed} fails without any fault`;
  const lines = needed.map((fault) => `${planned.indexOf(fault) + 1}: ${describeFault(fault)}`);
  return [`seed ${seed} fails; of its faults these are enough:`, ...lines].join("\n  ");
}

const FAULT_FLAG = /^--(?:faults|only-faults)(?:=|$)/;

/** What plays the shortest schedule: the command as it was given, with these faults and no others. */
function commandFor(argv: readonly string[], planned: readonly Fault[], needed: readonly Fault[]): string {
  const others = argv.filter((one, at) => !FAULT_FLAG.test(one) && argv[at - 1] !== "--only-faults");
  const only = needed.map((fault) => planned.indexOf(fault) + 1).join();
  const words = ["boxship", "simulate", ...others, ...(only === "" ? [] : [`--only-faults=${only}`])];
  return words.map(shellWord).join(" ");
}

/** Of a scenario. */
const MOST_BYTES = 64 << 20;
const INITIAL = { nodes: "10", pods: "100", seed: "1", minutes: "30" } as const;

async function parse(argv: readonly string[]): Promise<Flags> {
  const values = parseFlags(argv);
  const number = (name: keyof typeof INITIAL, most: number): number => {
    const text = values[name] ?? INITIAL[name];
    const value = Number(text);
    if (/^\d+$/.test(text) && value <= most) return value;
    throw new InvalidArgument(`--${name} ${JSON.stringify(text)} is no number from 0 to ${most}`);
  };
  const { scenario, history, svg: picture, faults: hasFaults = false, "only-faults": only } = values;
  for (const [name, path] of Object.entries({ history, scenario, svg: picture }))
    if (path === "") throw new InvalidArgument(`--${name} is given no path`);
  const unheeded = scenario === undefined ? undefined : (["nodes", "pods"] as const).find((name) => name in values);
  if (unheeded !== undefined)
    throw new InvalidArgument(`--${unheeded} and --scenario are given: a scenario says itself what there is`);
  const [nodes, pods] = [number("nodes", 100_000), number("pods", 1_000_000)];
  for (const path of [history, picture]) if (path !== undefined) await checkWritable(path);
  const loads = scenario === undefined ? sampleLoad(nodes, pods) : readScenario(await read(scenario));
  const [seed, minutes] = [number("seed", 2 ** 32 - 1), number("minutes", 10_000_000)];
  const planned = hasFaults || only !== undefined ? planFaults(seed, minutes, nodesOf(loads)) : [];
  const faults = only === undefined ? planned : chosen(planned, only, `seed ${seed}`);
  return { seed, minutes, loads, planned, faults, history, picture };
}

/** The faults of these numbers, which count from 1. @param whose plan it is */
function chosen(planned: readonly Fault[], list: string, whose: string): readonly Fault[] {
  if (!/^\d{1,9}(,\d{1,9})*$/.test(list)) {
    throw new InvalidArgument(`--only-faults ${JSON.stringify(list)} is no list of numbers`, {
      remedy: "give the numbers of the faults that a failing seed names, e.g. 2,5",
    });
  }
  const numbers = new Set(list.split(",").map(Number));
  for (const one of numbers) {
    if (one < 1 || one > planned.length) {
      throw new InvalidArgument(
        `--only-faults names fault ${one}, and ${whose} has ${planned.length} with these nodes and minutes`,
      );
    }
  }
  return planned.filter((_, index) => numbers.has(index + 1));
}

/** Before hours are simulated for nothing. */
async function checkWritable(path: string): Promise<void> {
  try {
    await (await open(path, "a")).close();
  } catch (cause) {
    throw new InvalidArgument(`${path} cannot be written: ${errorMessage(cause)}`, { cause });
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new FailedPrecondition(`${path} could not be written: ${errorMessage(cause)}`, { cause });
  }
}

async function read(path: string): Promise<string> {
  const pieces: Buffer[] = [];
  let left = MOST_BYTES;
  try {
    for await (const piece of createReadStream(path)) {
      pieces.push(piece as Buffer);
      left -= (piece as Buffer).length;
      if (left < 0) break;
    }
  } catch (cause) {
    throw new InvalidArgument(`${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
  if (left < 0) throw new InvalidArgument(`${path} is larger than ${MOST_BYTES} bytes, which no scenario is`);
  return Buffer.concat(pieces).toString();
}

function parseFlags(argv: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        nodes: text,
        pods: text,
        seed: text,
        minutes: text,
        faults: { type: "boolean" },
        "only-faults": text,
        history: text,
        scenario: text,
        svg: text,
      },
    }).values;
  } catch (error) {
    throw new InvalidArgument(errorMessage(error), { cause: error });
  }
}
