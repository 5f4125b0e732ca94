import { existsSync } from "node:fs";
import { isIP } from "node:net";
import type { RemoteBuild } from "@boxship/build";
import { cut } from "../container-options/csv.ts";
import { Failure, FlagError } from "../failure.ts";
import type { BuildSources } from "./read-sources.ts";

/** `HOST:ADDRESS` and `HOST=ADDRESS`. @throws FlagError for what is no address */
export function checkHosts(hosts: readonly string[]): readonly string[] {
  for (const text of hosts) {
    const at = text.search(/[=:]/);
    const address = text.slice(at + 1);
    const bare = address.startsWith("[") && address.endsWith("]") ? address.slice(1, -1) : address;
    if (at < 1 || (address !== "host-gateway" && isIP(bare) === 0)) throw new FlagError(`invalid host ${text}`);
  }
  return hosts;
}

/** `KEY=VALUE` and `KEY`, of which a key without a value has the default's. */
export function pairsOf<Value>(
  texts: readonly string[],
  valueless: (key: string) => Value,
): Readonly<Record<string, string | Value>> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value] = cut(text);
      if (key === "") throw new FlagError(`invalid key-value pair ${JSON.stringify(text)}: empty key`);
      return [key, value ?? valueless(key)];
    }),
  );
}

/** `KEY=VALUE` for the manifest, `index:KEY=VALUE` for the index. */
export function annotationsOf(
  texts: readonly string[],
): Pick<Required<RemoteBuild>, "annotations" | "indexAnnotations"> {
  const [annotations, indexAnnotations]: Record<string, string>[] = [{}, {}];
  for (const text of texts) {
    const [key, value] = cut(text);
    if (value === undefined) throw new FlagError(`invalid annotation ${JSON.stringify(text)}, expected key=value`);
    const [, kind, platform, name = ""] = /^(?:([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?:)?(\S+)$/.exec(key) ?? [];
    if (name === "") throw new FlagError(`invalid annotation key ${JSON.stringify(key)}`);
    const known = kind === undefined || kind === "manifest" || kind === "index";
    if (!known || platform !== undefined) {
      throw new FlagError(
        platform === undefined
          ? `--annotation: annotations of ${kind} are not supported, only those of manifest and index`
          : `--annotation: ${key} is not supported: annotations are for all platforms`,
      );
    }
    Object.assign((kind === "index" ? indexAnnotations : annotations) ?? {}, { [name]: value });
  }
  return { annotations: annotations ?? {}, indexAnnotations: indexAnnotations ?? {} };
}

/** `name=path`, `name=docker-image://ref`, `name=https://….git`. */
export function namedContexts(texts: readonly string[]): {
  readonly contexts: NonNullable<RemoteBuild["contexts"]>;
  readonly directories: BuildSources["directories"];
} {
  const entries = texts.map((text) => {
    const [name, value = ""] = cut(text);
    if (name === "" || value === "") throw new FlagError(`invalid context value: ${text}, expected key=value`);
    if (value.startsWith("docker-image://")) {
      return [name, { kind: "image", reference: value.slice("docker-image://".length) }, value] as const;
    }
    if (/^https?:\/\/(?!.*\.git(?:#|$))/.test(value)) return [name, { kind: "http", url: value }, value] as const;
    if (/^(?:https?|git|ssh):\/\//.test(value)) return [name, { kind: "git", url: value }, value] as const;
    if (!existsSync(value)) {
      throw new Failure(`failed to get build context ${name}: stat ${value}: no such file or directory`, {
        remedy: "name a directory, an address or docker-image://NAME",
      });
    }
    return [name, { kind: "files" }, value] as const;
  });
  const last = new Map(entries.map((entry) => [entry[0], entry]));
  const directories = [...last.values()].flatMap(([name, { kind }, path]) =>
    kind === "files" ? [{ path, prefix: `named/${name}`, ignore: [] }] : [],
  );
  return { contexts: Object.fromEntries(entries), directories };
}
