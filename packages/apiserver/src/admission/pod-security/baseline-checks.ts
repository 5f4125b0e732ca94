import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
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

const APPARMOR = "container.apparmor.security.beta.kubernetes.io/";

const appArmor: Check = ({ annotations, spec, containers }) => {
  const values = new Set<string>();
  const isBad = (holder: JsonObject): boolean => {
    const type = textAt(security(holder, "appArmorProfile"), "type");
    const bad = type !== "" && type !== "RuntimeDefault" && type !== "Localhost";
    if (bad) values.add(type);
    return bad;
  };
  const pod = isBad(spec);
  const bad = containers.filter(isBad).map(nameOf);
  const notes = Object.entries(annotations)
    .filter(([key, value]) => key.startsWith(APPARMOR) && !/^(|runtime\/default|localhost\/.*)$/.test(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  if (!pod && bad.length === 0 && notes.length === 0) return undefined;
  const set = settersText(pod, bad);
  const types = set === "" ? [] : [`${set} must not set AppArmor profile type to ${quoted(sorted(values))}`];
  const annotated =
    notes.length === 0 ? [] : [`${plural(notes.length, "annotation", "annotations")} ${notes.join(", ")}`];
  return {
    reason: plural(values.size + notes.length, "forbidden AppArmor profile", "forbidden AppArmor profiles"),
    detail: [...types, ...annotated].join(" and "),
  };
};

const hostNamespaces: Check = ({ spec }) => {
  const shared = ["hostNetwork", "hostPID", "hostIPC"].filter((field) => spec[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: "host namespaces", detail: shared.map((field) => `${field}=true`).join(", ") };
};

const hostPathVolumes: Check = ({ spec }) => {
  const volumes = listAt(spec, "volumes")
    .filter((one) => isObject(one) && one["hostPath"] !== undefined)
    .map((one) => textAt(one, "name"));
  if (volumes.length === 0) return undefined;
  return { reason: "hostPath volumes", detail: `${plural(volumes.length, "volume", "volumes")} ${quoted(volumes)}` };
};

const hostPorts: Check = ({ containers }) => {
  const ports: string[] = [];
  const bad = containers.filter((one) => {
    const own = listAt(one, "ports")
      .map((port) => textAt(port, "hostPort"))
      .filter((port) => port !== "" && port !== "0");
    ports.push(...own);
    return own.length > 0;
  });
  if (bad.length === 0) return undefined;
  const found = sorted(ports);
  const verb = plural(bad.length, "uses", "use");
  return {
    reason: "hostPort",
    detail: `${containersText(bad.map(nameOf))} ${verb} ${plural(found.length, "hostPort", "hostPorts")} ${found.join(", ")}`,
  };
};

const probesAndLifecycle: Check = ({ containers }) => {
  const hosts: string[] = [];
  const hostsOf = (handler: Json | undefined): readonly string[] =>
    [textAt(handler, "httpGet", "host"), textAt(handler, "tcpSocket", "host")].filter((host) => host !== "");
  const bad = containers.filter((one) => {
    const handlers = [
      ...["livenessProbe", "readinessProbe", "startupProbe"].map((field) => one[field]),
      ...["postStart", "preStop"].map((field) => valueAt(one, "lifecycle", field)),
    ];
    const own = handlers.flatMap(hostsOf);
    hosts.push(...own);
    return own.length > 0;
  });
  if (bad.length === 0) return undefined;
  const found = sorted(hosts);
  const what = plural(found.length, "probe or lifecycle host", "probe or lifecycle hosts");
  return {
    reason: "probe or lifecycle host",
    detail: `${containersText(sorted(bad.map(nameOf)))} ${plural(bad.length, "uses", "use")} ${what} ${quoted(found)}`,
  };
};

const privileged: Check = ({ containers }) => {
  const bad = containers.filter((one) => security(one, "privileged") === true).map(nameOf);
  if (bad.length === 0) return undefined;
  return { reason: "privileged", detail: `${containersText(bad)} must not set securityContext.privileged=true` };
};

const procMount: Check = ({ containers, hasOwnUsers }) => {
  if (hasOwnUsers) return undefined;
  const type = (one: JsonObject): string => textAt(security(one, "procMount"));
  const bad = containers.filter((one) => type(one) !== "" && type(one) !== "Default");
  if (bad.length === 0) return undefined;
  return {
    reason: "procMount",
    detail: `${containersText(bad.map(nameOf))} must not set securityContext.procMount to ${quoted(sorted(bad.map(type)))}`,
  };
};

const SELINUX_TYPES = new Set(["", "container_t", "container_init_t", "container_kvm_t"]);
const SELINUX_ENGINE = "container_engine_t";

const selinux: Check = ({ spec, containers, minor }) => {
  const isAllowed = (type: string): boolean => SELINUX_TYPES.has(type) || (type === SELINUX_ENGINE && minor >= 31);
  const types: string[] = [];
  let [user, role] = [false, false];
  const isBad = (holder: JsonObject): boolean => {
    const options = security(holder, "seLinuxOptions");
    const type = textAt(options, "type");
    const [ownUser, ownRole] = [textAt(options, "user") !== "", textAt(options, "role") !== ""];
    if (!isAllowed(type)) types.push(type);
    user ||= ownUser;
    role ||= ownRole;
    return ownUser || ownRole || !isAllowed(type);
  };
  const pod = isBad(spec);
  const bad = containers.filter(isBad).map(nameOf);
  if (!pod && bad.length === 0) return undefined;
  const found = sorted(types);
  const what = [
    ...(found.length === 0 ? [] : [`${plural(found.length, "type", "types")} ${quoted(found)}`]),
    ...(user ? ["user may not be set"] : []),
    ...(role ? ["role may not be set"] : []),
  ];
  return {
    reason: "seLinuxOptions",
    detail: `${settersText(pod, bad)} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
  };
};

/** By the minor version that first allowed them. */
const SYSCTLS: ReadonlyMap<string, number> = new Map([
  ["kernel.shm_rmid_forced", 0],
  ["net.ipv4.ip_local_port_range", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ping_group_range", 0],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_syncookies", 0],
  ["net.ipv4.tcp_wmem", 32],
]);

const sysctls: Check = ({ spec, minor }) => {
  const bad = listAt(security(spec, "sysctls"))
    .map((one) => textAt(one, "name"))
    .filter((name) => minor < (SYSCTLS.get(name) ?? Number.POSITIVE_INFINITY) || !SYSCTLS.has(name));
  return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
};

const windowsHostProcess: Check = ({ spec, containers }) => {
  const isHost = (holder: JsonObject): boolean => security(holder, "windowsOptions", "hostProcess") === true;
  const bad = containers.filter(isHost).map(nameOf);
  if (!isHost(spec) && bad.length === 0) return undefined;
  return {
    reason: "hostProcess",
    detail: `${settersText(isHost(spec), bad)} must not set securityContext.windowsOptions.hostProcess=true`,
  };
};

const CAPABILITIES = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

export const addedCapabilities: Check = ({ containers }) => {
  const added = (one: JsonObject): readonly string[] =>
    listAt(security(one, "capabilities", "add"))
      .map((name) => textAt(name))
      .filter((name) => !CAPABILITIES.has(name));
  const bad = containers.filter((one) => added(one).length > 0);
  if (bad.length === 0) return undefined;
  return {
    reason: "non-default capabilities",
    detail: `${containersText(bad.map(nameOf))} must not include ${quoted(sorted(bad.flatMap(added)))} in securityContext.capabilities.add`,
  };
};

export const isSafeSeccomp = (type: string): boolean => type === "RuntimeDefault" || type === "Localhost";

const seccompFields: Check = ({ spec, containers }) => {
  const type = (holder: JsonObject): string => textAt(security(holder, "seccompProfile"), "type");
  const isBad = (holder: JsonObject): boolean => type(holder) !== "" && !isSafeSeccomp(type(holder));
  const bad = containers.filter(isBad);
  if (!isBad(spec) && bad.length === 0) return undefined;
  const types = sorted([spec, ...bad].filter(isBad).map(type));
  return {
    reason: "seccompProfile",
    detail: `${settersText(isBad(spec), bad.map(nameOf))} must not set securityContext.seccompProfile.type to ${quoted(types)}`,
  };
};

const SECCOMP_ANNOTATION =
  /^(?:seccomp\.security\.alpha\.kubernetes\.io\/pod|container\.seccomp\.security\.alpha\.kubernetes\.io\/.*)$/;

/** Before there were fields, annotations said it. */
const seccompAnnotations: Check = ({ annotations }) => {
  const bad = Object.entries(annotations)
    .filter(
      ([key, value]) =>
        SECCOMP_ANNOTATION.test(key) && !/^(|runtime\/default|docker\/default|localhost\/.*)$/.test(value),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  if (bad.length === 0) return undefined;
  return {
    reason: "seccompProfile",
    detail: `forbidden ${plural(bad.length, "annotation", "annotations")} ${bad.join(", ")}`,
  };
};

export const seccompAllowed: Check = since(19, seccompFields, seccompAnnotations);

/** What holds at the levels baseline and restricted. */
export const BASELINE: readonly Check[] = [
  appArmor,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  since(34, probesAndLifecycle),
  privileged,
  procMount,
  selinux,
  sysctls,
  windowsHostProcess,
];

/** What the level restricted asks more strictly. */
export const ONLY_BASELINE: readonly Check[] = [addedCapabilities, seccompAllowed];
