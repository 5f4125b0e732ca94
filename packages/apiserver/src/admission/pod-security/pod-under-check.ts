import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";

/** A pod, or a template of some. */
export interface PodUnderCheck {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: JsonObject;
  /** Of every sort, those for debugging included. */
  readonly containers: readonly JsonObject[];
  readonly isWindows: boolean;
  /** The version of Kubernetes whose checks are made: 1.x's x, or more than any. */
  readonly minor: number;
  /** Its root is nobody on the host. */
  readonly hasOwnUsers: boolean;
}

export function podUnderCheck(metadata: Json | undefined, spec: JsonObject): PodUnderCheck {
  const annotations = valueAt(metadata, "annotations");
  return {
    annotations: isObject(annotations) ? (annotations as Record<string, string>) : {},
    spec,
    containers: ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
      listAt(spec, list).filter(isObject),
    ),
    minor: Number.POSITIVE_INFINITY,
    isWindows: textAt(spec, "os", "name") === "windows",
    hasOwnUsers: valueAt(spec, "hostUsers") === false,
  };
}

/** What is wrong: in a few words, and whose fault it is. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** The pod as checks of an older version see it: what Windows cannot have was asked of it, too. */
export function ofVersion(pod: PodUnderCheck, version: string): PodUnderCheck {
  const minor = version === "latest" ? Number.POSITIVE_INFINITY : Number(version.slice("v1.".length));
  return { ...pod, minor, isWindows: pod.isWindows && minor >= 25 };
}

/** A check that began with 1.`minor`; before that, another one or none. */
export const since =
  (minor: number, check: Check, before?: Check): Check =>
  (pod) =>
    pod.minor >= minor ? check(pod) : before?.(pod);

export type Check = (pod: PodUnderCheck) => Violation | undefined;

export const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(", ");

export const sorted = (names: Iterable<string>): readonly string[] => [...new Set(names)].toSorted();

export const plural = (amount: number, one: string, many: string): string => (amount === 1 ? one : many);

export const nameOf = (container: JsonObject): string => textAt(container, "name");

/** `container "a"`, `containers "a", "b"` */
export const containersText = (names: readonly string[]): string =>
  `${plural(names.length, "container", "containers")} ${quoted(names)}`;

/** The pod and containers that set something: `pod and containers "a", "b"`. */
export function settersText(isPod: boolean, containers: readonly string[]): string {
  return [...(isPod ? ["pod"] : []), ...(containers.length === 0 ? [] : [containersText(containers)])].join(" and ");
}

/** A field of the security context of a pod or container. */
export const security = (holder: JsonObject, ...path: readonly string[]): Json | undefined =>
  valueAt(holder, "securityContext", ...path);
