import { inspect } from "node:util";
import { Unsupported } from "@boxship/base";
import { RecordedQuery } from "../http/query.ts";
import type { Route, RouteDoc } from "../http/route.ts";
import { CURRENT_VERSION } from "../http/version.ts";
import { type DecodeContext, isObject } from "../wire/codec.ts";
import { type Parameter, type Requests, resolveSchema, type Schema } from "./requests.ts";

/** What becomes of one query parameter or field of a body. */
export interface Detail {
  readonly name: string;
  /** `passed over` only where nobody has said why; the page may not have any. */
  readonly state: RouteDoc["state"] | "passed over";
  readonly note?: string;
}

/** What an endpoint's own decoders do with Docker's parameters and fields, found out by asking them. */
export interface RouteDetails {
  readonly parameters: readonly Detail[];
  /** Keys of the parameter `filters`. */
  readonly filters?: readonly string[];
  readonly fields: readonly Detail[];
}

const DEPTH = 5;

/** Smallest bodies that say anything. */
const BASES: Readonly<Record<string, object>> = {
  "/containers/create": { Image: "base", HostConfig: { LogConfig: { Type: "local" } } },
  "/containers/{id}/exec": { Cmd: ["base"] },
  "/containers/{id}/update": { RestartPolicy: { Name: "on-failure" } },
  "/networks/create": { Name: "base" },
  "/networks/{id}/connect": { Container: "base" },
  "/networks/{id}/disconnect": { Container: "base" },
};

export function exploreRoute(route: Route, requests: Requests): RouteDetails {
  const known = parametersOf(route, requests);
  const query = known.filter((parameter) => parameter.in === "query");
  const { asked, filters } = askQuery(route, query);
  const body = known.find((parameter) => parameter.in === "body")?.schema;
  const explained = (detail: Detail): Detail => ({ ...detail, ...route.doc.details?.[detail.name] });
  // One that hands the whole query on has its own page.
  const handsOn = asked.size === 0 && route.query !== undefined;
  return {
    parameters: (handsOn ? [] : query)
      .map(({ name }): Detail => ({ name, state: asked.has(name) ? "works" : "passed over" }))
      .map(explained),
    ...(filters === undefined ? {} : { filters }),
    fields: body === undefined || route.body === undefined ? [] : [...fieldsOf(route, body, requests)].map(explained),
  };
}

function parametersOf({ method, path }: Route, { paths }: Requests): readonly Parameter[] {
  return paths[path.replaceAll("*}", "}")]?.[method.toLowerCase()] ?? [];
}

/** With nothing, with each parameter alone, and with all: one that is refused must not hide what comes after it. */
function askQuery({ query: decode }: Route, parameters: readonly Parameter[]) {
  const asked = new Set<string>();
  let filters: readonly string[] | undefined;
  const samples = parameters.map((parameter): [string, string] => [parameter.name, sampleText(parameter)]);
  for (const values of [[], samples, ...samples.map((sample) => [sample])]) {
    const query = new RecordedQuery(values);
    try {
      decode?.(query, CURRENT_VERSION);
    } catch {
      // What it asked for until then counts.
    }
    for (const name of query.asked) asked.add(name);
    filters ??= query.filters;
  }
  return { asked, filters };
}

function sampleText({ name, type }: Parameter): string {
  if (name === "filters") return "{}";
  if (name === "platform") return "linux/amd64";
  return type === "string" ? "x" : "1";
}

function* fieldsOf(route: Route, schema: Schema, requests: Requests): Generator<Detail> {
  const base = BASES[route.path] ?? {};
  const nothing = attempt(route, base);
  const seen = new Set<string>();
  for (const { name, wrap, sample } of leavesOf(schema, requests)) {
    const { shown, refusal, warning } = attempt(route, merge(base, wrap(sample)));
    if (refusal !== undefined) {
      const { subject, reason } = reasonOf(refusal, name);
      if (!seen.has(subject)) yield { name: subject, state: "refused", note: reason };
      seen.add(subject);
    } else if (warning !== undefined) {
      yield { name, state: "differs", note: `accepted with a warning: ${reasonOf(warning, name).reason}` };
    } else yield { name, state: shown === nothing.shown ? "passed over" : "works" };
  }
}

interface Attempt {
  /** The decoded value, or the complaint about it: either way the field was looked at. */
  readonly shown: string;
  readonly refusal?: string;
  readonly warning?: string;
}

function attempt({ body: decode }: Route, value: object): Attempt {
  const context: DecodeContext = { version: CURRENT_VERSION, warnings: [] };
  try {
    const shown = inspect(decode?.(value, context), { depth: null });
    const [warning] = context.warnings;
    return warning === undefined ? { shown } : { shown, warning };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Unsupported ? { shown: message, refusal: message } : { shown: message };
  }
}

/** "HostConfig.X is not supported: why" is about X, whatever is inside of it. */
function reasonOf(message: string, name: string): { readonly subject: string; readonly reason: string } {
  const [before = "", reason] = message.split(/ (?:is|are) not supported: /, 2);
  const parts = name.split(".");
  const depth = parts.lastIndexOf(before.split(".").at(-1) ?? "");
  if (reason === undefined || depth < 0) return { subject: name, reason: message };
  return { subject: parts.slice(0, depth + 1).join("."), reason };
}

function merge(base: object, extra: object): object {
  const nested = Object.entries(extra).map(([name, value]: [string, unknown]) => {
    const before: unknown = Reflect.get(base, name);
    return [name, isObject(before) && isObject(value) ? merge(before, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(nested) };
}

interface Leaf {
  readonly name: string;
  readonly wrap: (value: unknown) => object;
  readonly sample: unknown;
}

/** The fields that have no fields of their own. */
function* leavesOf(schema: Schema, requests: Requests, path: readonly string[] = []): Generator<Leaf> {
  const { properties } = resolveSchema(schema, requests);
  for (const [key, value] of Object.entries(properties ?? {})) {
    for (const leaf of leavesBelow(value, requests, [...path, key])) {
      yield { ...leaf, wrap: (sample) => ({ [key]: leaf.wrap(sample) }) };
    }
  }
}

function* leavesBelow(value: Schema, requests: Requests, path: readonly string[]): Generator<Leaf> {
  const whole = resolveSchema(value, requests);
  const { items, additionalProperties: values } = whole;
  const inner = whole.type === "array" ? items : typeof values === "object" ? values : undefined;
  const resolved = inner === undefined ? undefined : resolveSchema(inner, requests);
  if (path.length < DEPTH && whole.properties !== undefined) yield* leavesOf(whole, requests, path);
  else if (path.length < DEPTH && inner !== undefined && resolved?.properties !== undefined) {
    for (const leaf of leavesOf(inner, requests, path)) {
      const list = whole.type === "array";
      yield { ...leaf, wrap: (sample) => (list ? [leaf.wrap(sample)] : { x: leaf.wrap(sample) }) };
    }
  } else
    yield { name: path.join("."), wrap: (sample) => sample as object, sample: sampleOf(whole, requests, path.at(-1)) };
}

/** Where a text must be of a form before anything is made of it. */
const TEXTS: Readonly<Record<string, string>> = {
  Isolation: "hyperv",
  Scope: "swarm",
  CgroupnsMode: "host",
  Type: "bind",
};

function sampleOf(schema: Schema, requests: Requests, name = ""): unknown {
  switch (schema.type) {
    case "string":
      return TEXTS[name] ?? schema.enum?.find((value) => value !== "") ?? "x";
    case "integer":
    case "number":
      return 7;
    case "boolean":
      return true;
    case "array":
      return [1, 2].map(() => sampleOf(resolveSchema(schema.items ?? {}, requests), requests));
    default:
      return {
        a:
          typeof schema.additionalProperties === "object"
            ? sampleOf(resolveSchema(schema.additionalProperties, requests), requests)
            : {},
      };
  }
}
