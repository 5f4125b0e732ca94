import { posix } from "node:path";
import { InvalidArgument } from "@boxship/base";
import { parseReference, repositoryName } from "@boxship/oci";

/** What a socket's clients may do. A socket without a role is for those who are root anyway. */
export interface Role {
  /** Name of the socket, for messages and the audit log. */
  readonly name: string;
  /**
   * `read-only`: nothing changes. `confined`: ordinary containers, but nothing that leads to the host: no privileges,
   * no namespaces and devices of the host, no host paths but {@link mounts}, no building.
   */
  readonly kind: "read-only" | "confined";
  /** Only containers, networks and volumes with this label are there; what is created gets it. @default all are there */
  readonly label?: { readonly key: string; readonly value: string };
  /**
   * Host paths that may be bind-mounted: exactly these, nothing below them, because what is below is in the hands of
   * those who mount them and may be a link by the time it is mounted. None is below another. @default none
   */
  readonly mounts?: readonly string[];
  /** Repositories whose images may be tagged, committed, pushed and removed: a name, or `prefix/*`. @default none */
  readonly images?: readonly string[];
}

/** A role as it is written in the configuration and in requests. */
export interface RoleRequest {
  readonly name: string;
  readonly role: string;
  readonly label?: string;
  readonly mounts?: readonly string[];
  readonly images?: readonly string[];
}

const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

function invalid(name: string, why: string, remedy?: string): InvalidArgument {
  const details = { subject: { kind: "socket", name } };
  return new InvalidArgument(`socket ${name}: ${why}`, remedy === undefined ? details : { ...details, remedy });
}

/** @throws InvalidArgument */
export function parseRole({ name, role, label, mounts = [], images = [] }: RoleRequest): Role {
  if (!NAME.test(name)) {
    throw new InvalidArgument(`invalid socket name ${JSON.stringify(name)}`, {
      remedy: "use lower-case letters, digits, '.', '_' and '-'",
    });
  }
  if (role !== "read-only" && role !== "confined") {
    throw invalid(name, `unknown role ${JSON.stringify(role)}`, "choose read-only or confined");
  }
  return {
    name,
    kind: role,
    ...(label === undefined || label === "" ? {} : { label: parseLabel(name, label) }),
    mounts: checkMounts(name, mounts),
    images: images.map((pattern) => parsePattern(name, pattern)),
  };
}

function parseLabel(name: string, label: string): NonNullable<Role["label"]> {
  const equals = label.indexOf("=");
  if (equals < 1) throw invalid(name, `label ${JSON.stringify(label)} is not KEY=VALUE`);
  return { key: label.slice(0, equals), value: label.slice(equals + 1) };
}

function checkMounts(name: string, mounts: readonly string[]): readonly string[] {
  const clean = mounts.map((path) => {
    const normal = posix.normalize(path).replace(/(.)\/$/, "$1");
    if (!path.startsWith("/") || normal === "/") {
      throw invalid(name, `${JSON.stringify(path)} cannot be an allowed mount`, "name directories by absolute paths");
    }
    return normal;
  });
  for (const path of clean) {
    const above = clean.find((other) => path.startsWith(`${other}/`));
    if (above !== undefined) {
      throw invalid(
        name,
        `allowed mount ${path} is below ${above}`,
        "allow one of them: whoever mounts the upper one could replace the lower one by a link",
      );
    }
  }
  return clean;
}

/** In full, so that `ci/x` and `docker.io/ci/x` are the same. */
function parsePattern(name: string, pattern: string): string {
  const stem = pattern.endsWith("/*") ? `${pattern.slice(0, -2)}/x` : pattern;
  try {
    const full = repositoryName(parseReference(stem));
    return stem === pattern ? full : full.replace(/\/x$/, "/*");
  } catch (cause) {
    throw new InvalidArgument(`socket ${name}: invalid image pattern ${JSON.stringify(pattern)}`, { cause });
  }
}

/** Whether a repository (in full) is one of the role's. */
export function ownsRepository({ images = [] }: Role, repository: string): boolean {
  return images.some((pattern) =>
    pattern.endsWith("/*") ? repository.startsWith(pattern.slice(0, -1)) : repository === pattern,
  );
}
