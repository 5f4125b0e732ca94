import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { isObject, type Json, type KubeObject, listAt, textAt } from "@boxship/api";
import { systemCode } from "@boxship/base";
import { PlainRefusal, Refusal, throwAll } from "../failure.ts";
import type { Session } from "../session.ts";
import { isListKind, type Mapping } from "./discovery.ts";
import { buildKustomization } from "./kustomization.ts";
import { parseDocuments } from "./yaml-documents.ts";

/** One object of a file, and where it belongs. */
export interface Manifest {
  readonly object: KubeObject;
  readonly mapping: Mapping;
  readonly namespace: string;
  /** Empty for one whose name the server makes. */
  readonly name: string;
  /** The file, or `STDIN`. */
  readonly source: string;
}

export interface FileFlags {
  readonly filename: readonly string[];
  readonly kustomize: string;
  readonly recursive: boolean;
}

const EXTENSIONS = new Set([".json", ".yaml", ".yml"]);

/** Objects of files, folders, addresses and standard input. */
export async function readManifests(session: Session, flags: FileFlags): Promise<readonly Manifest[]> {
  const errors: unknown[] = [];
  const manifests = await readWhatCan(session, flags, errors);
  throwAll(errors);
  return manifests;
}

/** The same; what cannot be read is left out. @param errors why, for the end of the command */
export async function readWhatCan(session: Session, flags: FileFlags, errors: unknown[]): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for await (const { object, source } of readObjects(session, flags, errors)) {
    try {
      manifests.push(await manifestOf(session, object, source));
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof PlainRefusal)) throw error;
      errors.push(error);
    }
  }
  return manifests;
}

/** @throws Refusal for what is no object of a kind that the server has, or of another namespace */
export async function manifestOf(session: Session, object: KubeObject, source: string): Promise<Manifest> {
  const { namespace: chosen, explicitNamespace } = await session.cluster();
  const { apiVersion, kind } = object;
  const { name = "", namespace: own = "" } = object.metadata;
  const mapping = (await session.mapper()).byKind(apiVersion, kind);
  if (mapping === undefined) {
    const version = JSON.stringify(apiVersion);
    throw new Refusal(
      `resource mapping not found for name: ${JSON.stringify(name)} namespace: ${JSON.stringify(own)} from ${JSON.stringify(source)}: no matches for kind ${JSON.stringify(kind)} in version ${version}\nensure CRDs are installed first`,
    );
  }
  if (!mapping.namespaced) return { object, mapping, namespace: "", name, source };
  if (explicitNamespace && own !== "" && own !== chosen) {
    throw new PlainRefusal(
      `error: the namespace from the provided object ${JSON.stringify(own)} does not match the namespace ${JSON.stringify(chosen)}. You must pass '--namespace=${own}' to perform this operation.`,
    );
  }
  const namespace = own || chosen;
  if (own === "") object.metadata.namespace = namespace;
  return { object, mapping, namespace, name, source };
}

/** The same without the server. */
export async function* readObjects(
  session: Session,
  { filename, kustomize, recursive }: FileFlags,
  errors?: unknown[],
): AsyncGenerator<{ object: KubeObject; source: string }> {
  if (kustomize !== "" && filename.length > 0) throw new Refusal("only one of -f or -k can be specified");
  if (kustomize !== "") {
    yield* split(await buildKustomization(session, kustomize, { reorder: "none" }), kustomize, errors);
  }
  for (const name of filename) {
    if (name === "-") yield* split(await readAll(session), "STDIN", errors);
    else if (/^https?:\/\//.test(name)) yield* split(await download(name), name, errors);
    else for (const path of await filesOf(name, recursive)) yield* split(await readFile(path, "utf8"), path, errors);
  }
}

async function readAll({ io }: Session): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString("utf8");
}

async function download(url: string): Promise<string> {
  const answer = await fetch(url);
  if (answer.ok) return await answer.text();
  throw new Refusal(
    `unable to read URL ${JSON.stringify(url)}, server reported ${answer.status} ${answer.statusText}, status code=${answer.status}`,
  );
}

async function filesOf(path: string, recursive: boolean): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new Refusal(`the path ${JSON.stringify(path)} does not exist`);
  }
  const files: string[] = [];
  for (const entry of (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) {
      if (recursive) files.push(...(await filesOf(below, true)));
    } else if (EXTENSIONS.has(extname(entry.name))) files.push(below);
  }
  if (files.length === 0) {
    throw new Refusal(`error reading [${path}]: recognized file extensions are [.json .yaml .yml]`);
  }
  return files;
}

/** @param errors takes what is wrong; without it, that is thrown */
function* split(text: string, source: string, errors?: unknown[]): Generator<{ object: KubeObject; source: string }> {
  try {
    for (const value of documentsOf(text, source)) yield* objectsOf(value, source);
  } catch (error) {
    if (errors === undefined || !(error instanceof Refusal)) throw error;
    errors.push(error);
  }
}

function documentsOf(text: string, source: string): readonly Json[] {
  try {
    return parseDocuments(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(`error parsing ${source}: ${error.message}`);
  }
}

function* objectsOf(value: Json, source: string): Generator<{ object: KubeObject; source: string }> {
  if (isObject(value) && isListKind(value)) {
    for (const item of listAt(value, "items")) yield* objectsOf(item, source);
    return;
  }
  yield { object: checked(value, source), source };
}

function checked(value: Json, source: string): KubeObject {
  const wrong = (what: string): Refusal =>
    new Refusal(
      `error validating ${JSON.stringify(source)}: error validating data: ${what}; if you choose to ignore these errors, turn validation off with --validate=false`,
    );
  if (!isObject(value)) {
    throw new Refusal(
      `unable to decode ${JSON.stringify(source)}: couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  const missing = ["apiVersion", "kind"].filter((field) => textAt(value, field) === "");
  if (missing.length === 1) throw wrong(`${missing[0]} not set`);
  if (missing.length === 2) throw wrong("[apiVersion not set, kind not set]");
  if (!isObject(value["metadata"])) value["metadata"] = {};
  return value as KubeObject;
}
