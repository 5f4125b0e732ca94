import { globSync } from "node:fs";
import { lstat, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { systemCode } from "@boxship/base/errors";
import { IgnoreRules, readIgnoreFile } from "@boxship/build/ignore";
import { bytesOf, type TarInput, writeTar } from "@boxship/oci/tar";
import { describeEntry } from "../archive/pack.ts";
import { packContext } from "../build/pack-context.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { defineBuildah, imageName, refused } from "./buildah-command.ts";
import { explained, workingPath } from "./working-api.ts";

/** A local source and where it goes in the archive. */
interface Source {
  readonly path: string;
  readonly prefix: string;
  readonly isDirectory: boolean;
}

/** `copy` and `add`, which differ in what becomes of archives and addresses. */
export function copyCommand(kind: "copy" | "add", summary: string) {
  return defineBuildah({
    usage: "[OPTIONS] CONTAINER SOURCE... [DESTINATION]",
    summary,
    flags: {
      ...refused({
        authfile: "log in with boxship login",
        "cert-dir": "configure the registry in config.yaml",
        creds: "log in with boxship login",
        "tls-verify": "configure the registry in config.yaml",
        retry: "the engine decides how often it tries",
        "retry-delay": "the engine decides how often it tries",
      }),
      "add-history": bool("Add an entry for this operation to the image's history"),
      chmod: text("Set the access permissions of the destination content"),
      chown: text("Set the user and group ownership of the destination content"),
      contextdir: text("Context directory path"),
      from: text("Use the specified container's or image's root directory as the source root directory"),
      ignorefile: text("Path to .containerignore file"),
      quiet: bool("Don't output a digest of the newly-added/copied content", { short: "q" }),
    },
    async run(context, { flags, operands: [name, ...words] }) {
      if (name === undefined) throw new Failure("container ID must be specified");
      if (words.length === 0) throw new Failure("src must be specified");
      const destination = words.length > 1 ? words.at(-1) : undefined;
      const given = words.length > 1 ? words.slice(0, -1) : words;
      const patterns = await ignorePatterns(flags.ignorefile, flags.contextdir);
      const root = resolve(flags.contextdir === "" ? "." : flags.contextdir);
      const local: Source[] = [];
      const sources: string[] = [];
      for (const source of given) {
        if (flags.from !== "" || (kind === "add" && /^(?:https?|git):\/\//.test(source))) sources.push(source);
        else {
          for (const found of await findSources(root, source, flags.contextdir !== "", local.length)) {
            local.push(found);
            sources.push(found.prefix);
          }
        }
      }
      const head = {
        kind,
        sources,
        addHistory: flags["add-history"] || context.env["BUILDAH_HISTORY"] === "true",
        ...(destination === undefined ? {} : { destination }),
        ...(flags.from === "" ? {} : { from: imageName(flags.from) }),
        ...(flags.chown === "" ? {} : { chown: flags.chown }),
        ...(flags.chmod === "" ? {} : { chmod: flags.chmod }),
      };
      const body = Readable.from(bodyOf(head, local, root, patterns), { objectMode: false });
      const { digest } = await context.api
        .json<{ readonly digest: string }>("POST", workingPath(name, "/copy"), {
          stream: body,
          headers: { "Content-Type": "application/octet-stream" },
        })
        .catch((error: unknown) => {
          throw explained(error, name);
        });
      if (!flags.quiet) print(context, digest);
    },
  });
}

async function ignorePatterns(file: string, contextDirectory: string): Promise<readonly string[]> {
  if (file === "") return [];
  if (contextDirectory === "")
    throw new Failure("--ignorefile option requires that you specify a context dir using --contextdir");
  return readIgnoreFile(await readFile(file));
}

/** Files that a word names; below the context directory where there is one. */
async function findSources(root: string, word: string, confined: boolean, count: number): Promise<readonly Source[]> {
  const place = confined ? join(root, word) : resolve(root, word);
  const paths = /[*?[]/.test(word) && !(await isThere(place)) ? globSync(place).toSorted() : [place];
  if (paths.length === 0) throw new Failure(`checking on sources: no file matches ${JSON.stringify(word)}`);
  return await Promise.all(
    paths.map(async (path, index) => {
      try {
        const stats = await stat(path);
        const name = basename(path) || "root";
        return { path: await realpath(path), prefix: `${count + index}/${name}`, isDirectory: stats.isDirectory() };
      } catch (error) {
        if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
        throw new Failure(`checking on sources: ${JSON.stringify(path)}: no such file or directory`, { cause: error });
      }
    }),
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

async function* bodyOf(
  head: object,
  sources: readonly Source[],
  root: string,
  patterns: readonly string[],
): AsyncGenerator<Buffer> {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  yield Buffer.concat([length, json]);
  yield* writeTar(members(sources, root, patterns));
}

async function* members(
  sources: readonly Source[],
  root: string,
  patterns: readonly string[],
): AsyncGenerator<TarInput> {
  const rules = new IgnoreRules(patterns);
  for (const { path, prefix, isDirectory } of sources) {
    const below = relative(root, path);
    if (patterns.length > 0 && !isDirectory && rules.ignores(below)) continue;
    const entry = await describeEntry(path, bytesOf(`main/${prefix}`), await lstat(path), new Map());
    if (entry !== undefined) yield { ...entry, entry: { ...entry.entry, uid: 0, gid: 0 } };
    if (isDirectory) yield* packContext(path, `main/${prefix}`, patterns, below);
  }
}
