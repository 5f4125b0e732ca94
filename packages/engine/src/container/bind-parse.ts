import { posix } from "node:path";
import { InvalidArgument } from "@boxship/base";

/** One `-v` in parts. */
export interface ParsedBind {
  /** An absolute path, a volume's name, or absent for an anonymous volume. */
  readonly source?: string;
  readonly destination: string;
  readonly readWrite: boolean;
  readonly propagation: string;
  readonly noCopy: boolean;
  /** The options as typed. */
  readonly mode: string;
}

const PROPAGATION = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);
/** Accepted and without effect on Linux, as in Docker. */
const CONSISTENCY = new Set(["consistent", "cached", "delegated", "default"]);
/** SELinux relabelling; without effect on a host without SELinux. */
const RELABEL = new Set(["z", "Z"]);
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

function invalid(spec: string, why: string): InvalidArgument {
  return new InvalidArgument(`invalid volume specification: '${spec}': ${why}`, {
    subject: { kind: "volume", name: spec },
  });
}

/**
 * Parses `[source:]destination[:options]` as `docker run -v` does on Linux.
 *
 * @throws InvalidArgument naming the part that is wrong
 */
export function parseBind(spec: string): ParsedBind {
  const parts = spec.split(":");
  if (parts.length > 3 || parts.some((part) => part === ""))
    throw invalid(spec, "expected [source:]destination[:options]");
  const [first = "", second, options = ""] = parts;
  if (second === undefined) return { ...parseOptions(spec, "", false), destination: cleanDestination(spec, first) };
  const isPath = first.startsWith("/");
  if (!isPath && !VOLUME_NAME.test(first)) {
    throw new InvalidArgument(
      `create ${first}: "${first}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      { subject: { kind: "volume", name: first } },
    );
  }
  return {
    ...parseOptions(spec, options, isPath),
    source: isPath ? posix.normalize(first) : first,
    destination: cleanDestination(spec, second),
  };
}

/** An absolute, normalised path in the container that is not its root. */
export function cleanDestination(spec: string, path: string): string {
  if (!path.startsWith("/")) throw invalid(spec, `mount path must be absolute: '${path}'`);
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (clean === "/") throw invalid(spec, "destination can't be '/'");
  return clean;
}

function parseOptions(spec: string, options: string, isPath: boolean): Omit<ParsedBind, "destination" | "source"> {
  let readWrite = true;
  let propagation = isPath ? "rprivate" : "";
  let noCopy = false;
  const seen = new Set<string>();
  for (const option of options === "" ? [] : options.split(",")) {
    let kind: string;
    if (option === "ro" || option === "rw") {
      kind = "access";
      readWrite = option === "rw";
    } else if (PROPAGATION.has(option)) {
      kind = "propagation";
      if (!isPath) throw invalid(spec, `propagation '${option}' needs a path on the host`);
      propagation = option;
    } else if (RELABEL.has(option)) kind = "relabel";
    else if (CONSISTENCY.has(option)) kind = "consistency";
    else if (option === "nocopy" || option === "volume-nocopy") {
      kind = "copy";
      if (isPath) throw invalid(spec, `'${option}' is for volumes, not for paths on the host`);
      noCopy = true;
    } else throw invalid(spec, `invalid mode: ${option}`);
    if (seen.has(kind)) throw invalid(spec, `more than one ${kind} option`);
    seen.add(kind);
  }
  return { readWrite, propagation, noCopy, mode: options };
}
