import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, InvalidArgument, NotFound, systemCode, Unsupported } from "@boxship/base";

/**
 * Network configurations of the Container Network Interface (specification 1.1, section 1), as files have them.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** One plugin of a list: what its file says, to be handed on as it is. */
export interface CniPlugin extends JsonObject {
  /** Name of its program. */
  readonly type: string;
}

/** A list of plugins that make a network together, one after the other. */
export interface CniNetworkList {
  /** Under which plugins keep their state; need not be the network's name here. */
  readonly name: string;
  /** The version of the protocol that is spoken with the plugins. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly CniPlugin[];
  /** Where its programs are. @default where those of all lists are */
  readonly directories?: readonly string[];
}

/** Oldest first. Before 0.3.0 a result had another shape. */
const VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** Whether a list's version has what came with another. */
export function hasVersion(list: CniNetworkList, atLeast: (typeof VERSIONS)[number]): boolean {
  return VERSIONS.findIndex((version) => version === list.cniVersion) >= VERSIONS.indexOf(atLeast);
}

/**
 * A configuration list, or the configuration of a single plugin, which stands for a list of one.
 *
 * @param where names it in errors
 */
export function parseNetworkList(text: string, where: string): CniNetworkList {
  const subject = { kind: "CNI configuration", name: where };
  const fail = (what: string): never => {
    throw new InvalidArgument(`CNI configuration ${where}: ${what}`, { subject });
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return fail(`it is not JSON: ${errorMessage(error)}`);
  }
  if (!isObject(parsed)) return fail("it is not a JSON object");
  const { name, disableCheck, disableGC, plugins = [parsed] } = parsed;
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return fail("it has no valid name");
  if (!Array.isArray(plugins) || plugins.length === 0) return fail("it has no plugins");
  for (const plugin of plugins as unknown[]) {
    if (!isObject(plugin) || typeof plugin["type"] !== "string" || !/^[^/\0]+$/.test(plugin["type"])) {
      return fail("a plugin has no valid type");
    }
  }
  return {
    name,
    cniVersion: chooseVersion(parsed, where),
    disableCheck: isTrue(disableCheck),
    disableGC: isTrue(disableGC),
    plugins: plugins as CniPlugin[],
  };
}

/** Some write the flags as text. */
function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

/** The newest of the versions that the file allows and that are known here. */
function chooseVersion({ cniVersion, cniVersions }: JsonObject, where: string): string {
  const given = [cniVersion, ...(Array.isArray(cniVersions) ? (cniVersions as unknown[]) : [])];
  const found = VERSIONS.findLast((version) => given.includes(version));
  if (found !== undefined) return found;
  throw new Unsupported(
    `CNI configuration ${where} has version ${typeof cniVersion === "string" ? cniVersion : "0.1.0"}`,
    {
      subject: { kind: "CNI configuration", name: where },
      remedy: `set its cniVersion to one of ${VERSIONS.join(", ")}`,
    },
  );
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The configuration in a file of a directory. Throws {@link NotFound}. */
export function readNetworkFile(directory: string, file: string): CniNetworkList {
  if (file.includes("/")) {
    throw new InvalidArgument(`CNI configuration ${file} must be the name of a file in ${directory}`, {
      subject: { kind: "CNI configuration", name: file },
    });
  }
  try {
    return parseNetworkList(readFileSync(join(directory, file), "utf8"), file);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new NotFound(`there is no CNI configuration ${join(directory, file)}`, {
      cause: error,
      subject: { kind: "CNI configuration", name: file },
    });
  }
}

/** The first configuration of a directory, by file name, that has this name. Throws {@link NotFound}. */
export function findNetworkList(directory: string, name: string): CniNetworkList {
  for (const file of configurationFiles(directory)) {
    const text = readFileSync(join(directory, file), "utf8");
    // What is wrong with others must not keep this one from being found.
    if (nameIn(text) === name) return parseNetworkList(text, file);
  }
  throw new NotFound(`no CNI configuration in ${directory} has the name ${name}`, {
    subject: { kind: "CNI configuration", name },
    remedy: "put one there, or give it with -o conflist= or, by the name of its file, with -o file=",
  });
}

/** The first configuration of a directory, by file name. Throws {@link NotFound} for a directory without any. */
export function firstNetworkList(directory: string): CniNetworkList {
  const [file] = configurationFiles(directory);
  if (file !== undefined) return readNetworkFile(directory, file);
  throw new NotFound(`no network config found in ${directory}`, {
    subject: { kind: "CNI configuration", name: directory },
    remedy: "put one there: a file NAME.conflist",
  });
}

function configurationFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => /\.(conflist|conf|json)$/.test(file))
      .sort();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

function nameIn(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed["name"] : undefined;
  } catch {
    return undefined;
  }
}
