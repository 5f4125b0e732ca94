import { readdir } from "node:fs/promises";
import { listAt, textAt, valueAt } from "@boxship/api";
import { getObject, listObjects } from "../../request/objects.ts";
import { qualifiedResource } from "../../resource/discovery.ts";
import { resolveTargets } from "../../resource/targets.ts";
import type { Session } from "../../session.ts";
import { podOfWord } from "../carry.ts";

/** Flags of an answer, as the shells' scripts read them. */
export const DIRECTIVE = { default: 0, noSpace: 2, noFiles: 4, extensions: 8 } as const;

export interface Candidates {
  /** Each with a description behind a tab, where there is one. */
  readonly words: readonly string[];
  readonly directive: number;
}

/** What the word that is being typed could be. @param before operands that stand before it */
export type Completer = (session: Session, before: readonly string[], last: string) => Promise<Candidates>;

export const NOTHING: Candidates = { words: [], directive: DIRECTIVE.noFiles };

export const starting = (words: readonly string[], last: string): readonly string[] =>
  words.filter((word) => word.startsWith(last));

async function namesOf(session: Session, type: string): Promise<readonly string[]> {
  const [target] = await resolveTargets(session, [type]);
  if (target === undefined) return [];
  const found = await listObjects(session, target.mapping, target.namespace);
  return found.map(({ metadata }) => metadata.name ?? "");
}

/** Names of kinds that can be got; of several with commas the last. */
async function typesOf(session: Session, last: string): Promise<readonly string[]> {
  const { mappings, groups } = (await session.mapper()).discovery;
  const preferred = new Map(groups.map(({ group, versions }) => [group, versions[0]]));
  const before = last.slice(0, last.lastIndexOf(",") + 1);
  const all = mappings
    .filter(({ group, version, verbs }) => preferred.get(group) === version && verbs.includes("get"))
    .sort((a, b) => (`${a.group}/${a.resource}` < `${b.group}/${b.resource}` ? -1 : 1))
    .map((one) => qualifiedResource(one));
  return starting(all, last.slice(before.length)).map((one) => `${before}${one}`);
}

/** `TYPE NAME…` and `TYPE/NAME…`. */
export function typesAndNames({
  types,
  several = true,
}: {
  /** @default all that the server has */
  readonly types?: readonly string[];
  /** Whether more than one may be named. @default true */
  readonly several?: boolean;
} = {}): Completer {
  const some = async (session: Session, last: string): Promise<readonly string[]> =>
    types === undefined ? await typesOf(session, last) : starting(types, last);
  return async (session, before, last) => {
    const [first, ...others] = before;
    const only = (words: readonly string[]): Candidates => ({ words, directive: DIRECTIVE.noFiles });
    if (first !== undefined && !first.includes("/")) {
      if (!several && others.length > 0) return NOTHING;
      return only(starting(await namesOf(session, first), last).filter((one) => !others.includes(one)));
    }
    if (first !== undefined && !several) return NOTHING;
    const at = last.indexOf("/");
    if (at >= 0) {
      const type = last.slice(0, at);
      const names = starting(await namesOf(session, type), last.slice(at + 1)).map((name) => `${type}/${name}`);
      return only(names.filter((one) => !before.includes(one)));
    }
    if (first === undefined) return only(await some(session, last));
    const words = (await some(session, last)).map((one) => `${one}/`);
    return { words, directive: DIRECTIVE.noFiles | DIRECTIVE.noSpace };
  };
}

/** Names of one kind, where the first operand is one. */
export const names =
  (type: string): Completer =>
  async (session, before, last) => ({
    words: before.length > 0 ? [] : starting(await namesOf(session, type), last),
    directive: DIRECTIVE.noFiles,
  });

const WITH_PODS = [
  "daemonsets",
  "deployments",
  "pods",
  "jobs",
  "replicasets",
  "replicationcontrollers",
  "services",
  "statefulsets",
];

async function podsAndTypes(session: Session, last: string): Promise<Candidates> {
  const at = last.indexOf("/");
  if (at >= 0) {
    const type = last.slice(0, at);
    const found = starting(await namesOf(session, type), last.slice(at + 1));
    return { words: found.map((name) => `${type}/${name}`), directive: DIRECTIVE.noFiles };
  }
  const pods = starting(await namesOf(session, "pod"), last);
  const types = starting(WITH_PODS, last).map((one) => `${one}/`);
  return {
    words: [...pods, ...types],
    directive: DIRECTIVE.noFiles | (pods.length === 0 ? DIRECTIVE.noSpace : 0),
  };
}

export const pods: Completer = async (session, before, last) =>
  before.length === 0 ? await podsAndTypes(session, last) : NOTHING;

/** Containers of the pod that the first operand means. */
export const containers: Completer = async (session, [word], last) => {
  if (word === undefined) return NOTHING;
  const pod = await podOfWord(session, word);
  const all = ["initContainers", "containers"].flatMap((field) => listAt(pod, "spec", field));
  return {
    words: starting(
      all.map((one) => textAt(one, "name")),
      last,
    ),
    directive: DIRECTIVE.noFiles,
  };
};

export const podsAndContainers: Completer = async (session, before, last) => {
  if (before.length === 0) return await podsAndTypes(session, last);
  return before.length === 1 ? await containers(session, before, last) : NOTHING;
};

/** Pods, then their ports; of services their own. */
export const podsAndPorts: Completer = async (session, before, last) => {
  const [word] = before;
  if (word === undefined) return await podsAndTypes(session, last);
  if (before.length > 1) return NOTHING;
  const isService = /^(service|services|svc)\//.test(word);
  const [target] = isService ? await resolveTargets(session, [word]) : [];
  const object = target === undefined ? await podOfWord(session, word) : await getObject(session, target);
  const ports =
    target === undefined
      ? listAt(object, "spec", "containers").flatMap((one) => listAt(one, "ports"))
      : listAt(object, "spec", "ports");
  const found = ports.map((one) => textAt(valueAt(one, target === undefined ? "containerPort" : "port")));
  const local = last.split(":")[0] ?? "";
  const words = found.map((port) => `${last === "" ? port : local}:${port}`);
  return { words: starting(words, last), directive: DIRECTIVE.noFiles };
};

/** `namespace/`, `pod:` and files. */
export const copied: Completer = async (session, before, last) => {
  const directive = DIRECTIVE.noSpace;
  if (before.length > 0 || /^[/.~]/.test(last) || last.includes(":")) return { words: [], directive };
  const at = last.indexOf("/");
  if (at > 0) {
    const mapping = (await session.mapper()).known("", "pods");
    const found = await listObjects(session, mapping, last.slice(0, at));
    return {
      words: starting(
        found.map(({ metadata }) => `${last.slice(0, at)}/${metadata.name ?? ""}:`),
        last,
      ),
      directive,
    };
  }
  const namespaces = starting(await namesOf(session, "namespace"), last).map((one) => `${one}/`);
  const found = starting(await namesOf(session, "pod"), last).map((one) => `${one}:`);
  if (last === "") return { words: [...namespaces, ...found, "./", "/"], directive };
  const here = namespaces.length + found.length === 0 ? [] : await readdir(".", { withFileTypes: true });
  const files = here.map((one) => (one.isDirectory() ? `${one.name}/` : one.name)).sort();
  return { words: [...namespaces, ...found, ...starting(files, last)], directive };
};

/** Entries of the configuration. @param field `contexts`, `clusters` or `users` */
export const entriesOf =
  (field: string): Completer =>
  async (session, before, last) => {
    if (before.length > 0) return NOTHING;
    const all = listAt(await session.config(), field).map((one) => textAt(one, "name"));
    return { words: starting(all, last), directive: DIRECTIVE.noFiles };
  };

/** One of some words. */
export const oneOf =
  (...all: readonly string[]): Completer =>
  async (_session, before, last) => ({
    words: before.length === 0 ? starting(all, last) : [],
    directive: DIRECTIVE.noFiles,
  });
