import { isObject, type JsonObject, listAt, textAt } from "@boxship/api";
import { addedCapabilities, isSafeSeccomp, seccompAllowed } from "./baseline-checks.ts";
import {
  type Check,
  containersText,
  nameOf,
  plural,
  quoted,
  security,
  settersText,
  since,
  sorted,
} from "./pod-under-check.ts";

const allowPrivilegeEscalation: Check = ({ containers, isWindows }) => {
  if (isWindows) return undefined;
  const bad = containers.filter((one) => security(one, "allowPrivilegeEscalation") !== false).map(nameOf);
  if (bad.length === 0) return undefined;
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${containersText(bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: Check = ({ containers, isWindows }) => {
  if (isWindows) return undefined;
  const dropsAll = (one: JsonObject): boolean => listAt(security(one, "capabilities", "drop")).includes("ALL");
  const added = (one: JsonObject): readonly string[] =>
    listAt(security(one, "capabilities", "add"))
      .map((name) => textAt(name))
      .filter((name) => name !== "NET_BIND_SERVICE");
  const keeping = containers.filter((one) => !dropsAll(one)).map(nameOf);
  const adding = containers.filter((one) => added(one).length > 0);
  if (keeping.length === 0 && adding.length === 0) return undefined;
  const details = [
    ...(keeping.length === 0 ? [] : [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adding.length === 0
      ? []
      : [
          `${containersText(adding.map(nameOf))} must not include ${quoted(sorted(adding.flatMap(added)))} in securityContext.capabilities.add`,
        ]),
  ];
  return { reason: "unrestricted capabilities", detail: details.join("; ") };
};

const VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
  "image",
];

const volumes: Check = ({ spec }) => {
  const bad = listAt(spec, "volumes")
    .filter(isObject)
    .filter((one) => !VOLUMES.some((source) => one[source] !== undefined));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((one) => Object.keys(one).find((field) => field !== "name") ?? "unknown"));
  const use = plural(bad.length, "uses", "use");
  const what = plural(types.length, "restricted volume type", "restricted volume types");
  return {
    reason: "restricted volume types",
    detail: `${plural(bad.length, "volume", "volumes")} ${quoted(bad.map(nameOf))} ${use} ${what} ${quoted(types)}`,
  };
};

const runAsNonRoot: Check = ({ spec, containers, hasOwnUsers }) => {
  if (hasOwnUsers) return undefined;
  const wish = (holder: JsonObject): unknown => security(holder, "runAsNonRoot");
  const refusing = containers.filter((one) => wish(one) === false).map(nameOf);
  const reason = "runAsNonRoot != true";
  if (wish(spec) === false || refusing.length > 0) {
    return {
      reason,
      detail: `${settersText(wish(spec) === false, refusing)} must not set securityContext.runAsNonRoot=false`,
    };
  }
  const silent = wish(spec) === true ? [] : containers.filter((one) => wish(one) === undefined).map(nameOf);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${containersText(silent)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = ({ spec, containers, hasOwnUsers }) => {
  if (hasOwnUsers) return undefined;
  const isRoot = (holder: JsonObject): boolean => security(holder, "runAsUser") === 0;
  const bad = containers.filter(isRoot).map(nameOf);
  if (!isRoot(spec) && bad.length === 0) return undefined;
  return { reason: "runAsUser=0", detail: `${settersText(isRoot(spec), bad)} must not set runAsUser=0` };
};

const seccomp: Check = ({ spec, containers, isWindows }) => {
  if (isWindows) return undefined;
  const type = (holder: JsonObject): string => textAt(security(holder, "seccompProfile"), "type");
  const isBad = (holder: JsonObject): boolean => type(holder) !== "" && !isSafeSeccomp(type(holder));
  const bad = containers.filter(isBad);
  const reason = "seccompProfile";
  if (isBad(spec) || bad.length > 0) {
    const types = sorted([spec, ...bad].filter(isBad).map(type));
    return {
      reason,
      detail: `${settersText(isBad(spec), bad.map(nameOf))} must not set securityContext.seccompProfile.type to ${quoted(types)}`,
    };
  }
  const silent = type(spec) !== "" ? [] : containers.filter((one) => type(one) === "").map(nameOf);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${containersText(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

export const RESTRICTED: readonly Check[] = [
  since(8, allowPrivilegeEscalation),
  since(22, capabilities, addedCapabilities),
  volumes,
  runAsNonRoot,
  since(23, runAsUser),
  since(19, seccomp, seccompAllowed),
];
