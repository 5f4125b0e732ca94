import type { Json, JsonObject } from "@boxship/api";
import { formatQuantity, parseQuantity } from "@boxship/api";
import { Refusal } from "../failure.ts";
import { array, bool, int, str } from "../flags.ts";
import { generator, intOrString, objectOf, parseLabels } from "./generator.ts";

export const namespace = generator({
  usage: "NAME [--dry-run=server|client|none]",
  summary: "Create a namespace with the specified name",
  flags: {},
  build: ({ name }) => objectOf("v1", "Namespace", { name }, { spec: {}, status: {} }),
});

export const quota = generator({
  usage: "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]",
  summary: "Create a quota with the specified name",
  flags: { hard: str(), scopes: str() },
  build({ flags, name }) {
    const hard: JsonObject = {};
    for (const pair of flags.hard.split(",").filter((one) => one !== "")) {
      const [key = "", value = "", ...more] = pair.split("=");
      const parsed = parseQuantity(value);
      if (value === "" || more.length > 0)
        throw new Refusal(`Invalid argument syntax ${pair}, expected <resource>=<value>`);
      if (parsed === undefined)
        throw new Refusal(
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        );
      hard[key] = formatQuantity(parsed);
    }
    const scopes = flags.scopes === "" ? [] : flags.scopes.split(",");
    return objectOf(
      "v1",
      "ResourceQuota",
      { name },
      {
        spec: { ...(Object.keys(hard).length > 0 && { hard }), ...(scopes.length > 0 && { scopes }) },
        status: {},
      },
    );
  },
});

export const priorityclass = generator({
  usage: "NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
  summary: "Create a priority class with the specified name",
  flags: {
    description: str(),
    "global-default": bool(),
    "preemption-policy": str("PreemptLowerPriority"),
    value: int(),
  },
  build: ({ flags, name }) =>
    objectOf(
      "scheduling.k8s.io/v1",
      "PriorityClass",
      { name },
      {
        value: flags.value,
        ...(flags["global-default"] && { globalDefault: true }),
        ...(flags.description !== "" && { description: flags.description }),
        preemptionPolicy: flags["preemption-policy"],
      },
    ),
});

export const poddisruptionbudget = generator({
  usage: "NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]",
  summary: "Create a pod disruption budget with the specified name",
  flags: { "max-unavailable": str(), "min-available": str(), selector: str() },
  build({ flags, name }) {
    const { "max-unavailable": most, "min-available": least, selector } = flags;
    if (selector === "") throw new Refusal("a selector must be specified");
    if (most === "" && least === "") throw new Refusal("one of min-available or max-unavailable must be specified");
    if (most !== "" && least !== "") throw new Refusal("min-available and max-unavailable cannot be both specified");
    return objectOf(
      "policy/v1",
      "PodDisruptionBudget",
      { name },
      {
        spec: {
          ...(least !== "" && { minAvailable: intOrString(least) }),
          selector: { matchLabels: parseLabels(selector) },
          ...(most !== "" && { maxUnavailable: intOrString(most) }),
        },
        status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
      },
    );
  },
});

const RULE = /^(?<host>[^/]*)(?<path>\/[^=]*)?=(?<service>[^:=,]+):(?<port>[^,=]+)(?:,tls(?:=(?<secret>.*))?)?$/;

const backend = (service: string, port: string): Json => ({
  service: { name: service, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } },
});

function pathOf(text: string, service: string, port: string): Json {
  const isPrefix = text.endsWith("*");
  return {
    path: isPrefix ? text.slice(0, -1) : text,
    pathType: isPrefix ? "Prefix" : "Exact",
    backend: backend(service, port),
  };
}

export const ingress = generator({
  usage: "NAME --rule=host/path=service:port[,tls[=secret]]",
  summary: "Create an ingress with the specified name",
  flags: { annotation: array(), class: str(), "default-backend": str(), rule: array() },
  build({ flags, name }) {
    if (flags.rule.length === 0 && flags["default-backend"] === "") {
      throw new Refusal(
        "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
      );
    }
    const hosts = new Map<string, Json[]>();
    const tls: Json[] = [];
    for (const rule of flags.rule) {
      const groups = RULE.exec(rule)?.groups;
      if (groups === undefined) {
        throw new Refusal(`rule ${rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]`);
      }
      const { host = "", path = "", service = "", port = "", secret } = groups;
      hosts.set(host, [...(hosts.get(host) ?? []), pathOf(path, service, port)]);
      if (!/,tls(=|$)/.test(rule)) continue;
      tls.push({ ...(host !== "" && { hosts: [host] }), ...(secret !== undefined && { secretName: secret }) });
    }
    const annotations = Object.fromEntries(
      flags.annotation.map((one) => [one.split("=")[0] ?? "", one.slice(one.indexOf("=") + 1)]),
    );
    const [service = "", port = ""] = flags["default-backend"].split(":");
    const rules = [...hosts].map(([host, paths]): Json => ({ ...(host !== "" && { host }), http: { paths } }));
    return objectOf(
      "networking.k8s.io/v1",
      "Ingress",
      { name, ...(flags.annotation.length > 0 && { annotations }) },
      {
        spec: {
          ...(flags.class !== "" && { ingressClassName: flags.class }),
          ...(service !== "" && { defaultBackend: backend(service, port) }),
          ...(tls.length > 0 && { tls }),
          ...(rules.length > 0 && { rules }),
        },
        status: { loadBalancer: {} },
      },
    );
  },
});
