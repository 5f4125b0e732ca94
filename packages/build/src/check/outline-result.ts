import type { CallResult } from "../contract.ts";
import type { Containerfile, Place } from "../language/index.ts";
import { base64, json, linesOf, optional, stageDescription } from "./call-result.ts";
import type { CheckedFile, CheckedStage } from "./check-file.ts";
import { columns } from "./text.ts";

/** `frontend.outline`: what a target can be given. */
export function outlineResult(file: Containerfile, { target }: Pick<CheckedFile, "target">): CallResult {
  const made = madeOf(target);
  const args = byLine(first(made.flatMap(argsOf), ({ name }) => name));
  const secrets = byLine(
    first(
      made.flatMap(({ needs }) => named(needs.secrets)),
      ({ name }) => name,
    ),
  );
  const agents = byLine(
    first(
      made.flatMap(({ needs }) => named(needs.agents)),
      ({ name }) => name,
    ),
  );
  const { name } = target.stage;
  const description = stageDescription(target.stage);
  const required = (entry: (typeof secrets)[number]) => ({
    name: entry.name,
    ...(entry.required ? { required: true } : {}),
    location: linesOf(entry.place),
  });
  const outline = {
    ...optional("name", name),
    ...optional("description", description),
    ...list(
      "args",
      args.map(({ place, description: about, value, ...arg }) => ({
        name: arg.name,
        ...optional("description", about),
        ...(value === "" ? {} : { value }),
        location: linesOf(place),
      })),
    ),
    ...list("secrets", secrets.map(required)),
    ...list("ssh", agents.map(required)),
    sources: [...file.sources.values()].map(base64),
  };
  const head = [
    ["TARGET:", name ?? "(default)"],
    ...(description === undefined ? [] : [["DESCRIPTION:", description]]),
  ];
  const truths = (entries: typeof secrets) => entries.map((entry) => [entry.name, entry.required ? "true" : ""]);
  const tables = [
    name === undefined && description === undefined ? "" : `${columns(head, 1)}\n`,
    table(
      ["BUILD ARG", "VALUE", "DESCRIPTION"],
      args.map((arg) => [arg.name, arg.value, arg.description ?? ""]),
    ),
    table(["SECRET", "REQUIRED"], truths(secrets)),
    table(["SSH", "REQUIRED"], truths(agents)),
  ];
  return { json: json(outline), text: tables.join(""), status: 0 };
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0 ? "" : `${columns([head, ...rows], 3)}\n`;

/** A stage and all that it is made of, itself first. */
function madeOf(stage: CheckedStage): readonly CheckedStage[] {
  const found = new Set([stage]);
  for (const { base, reads } of found) for (const other of [base, ...reads]) if (other !== undefined) found.add(other);
  return [...found];
}

/** Arguments that a stage declares or names, with those that their defaults name. */
function argsOf({ needs: { args, used } }: CheckedStage) {
  const all = new Set(used);
  for (const name of all) for (const other of args.get(name)?.needs ?? []) all.add(other);
  return [...all].flatMap((name) => args.get(name) ?? []);
}

const named = (entries: CheckedStage["needs"]["secrets"]) =>
  [...entries].map(([name, { required, place }]) => ({ name, required, place }));

function first<T>(entries: readonly T[], keyOf: (entry: T) => string): readonly T[] {
  return [...new Map(entries.toReversed().map((entry) => [keyOf(entry), entry])).values()];
}

const byLine = <T extends { readonly place: Place }>(entries: readonly T[]): readonly T[] =>
  entries.toSorted((a, b) => a.place.lines[0] - b.place.lines[0]);

const list = (key: string, entries: readonly object[]): object => (entries.length === 0 ? {} : { [key]: entries });
