import type { Column } from "../kind/kind.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { AGE, at, joined, NAME, selectorText, text, wide } from "./column.ts";

export const NETWORK_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  endpoints: [
    NAME,
    text("Endpoints", (object) =>
      some(
        listAt(object, "subsets").flatMap((subset) => {
          const ports = listAt(subset, "ports").map((port) => textAt(port, "port"));
          const addresses = listAt(subset, "addresses").map((one) => textAt(one, "ip"));
          return ports.length === 0
            ? addresses
            : ports.flatMap((port) => addresses.map((ip) => `${ip.includes(":") ? `[${ip}]` : ip}:${port}`));
        }),
      ),
    ),
    AGE,
  ],
  "endpointslices.discovery.k8s.io": [
    NAME,
    text("AddressType", at("addressType")),
    text("Ports", (object) =>
      some(
        listAt(object, "ports").map((port) => textAt(port, "port") || textAt(port, "name") || "*"),
        "<unset>",
      ),
    ),
    text("Endpoints", (object) =>
      some(
        listAt(object, "endpoints").flatMap((one) => listAt(one, "addresses").map((ip) => textAt(ip))),
        "<unset>",
      ),
    ),
    AGE,
  ],
  "ingressclasses.networking.k8s.io": [
    {
      ...NAME,
      cell: ({ metadata: { name = "", annotations } }) =>
        annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true" ? `${name} (default)` : name,
    },
    text("Controller", at("spec.controller")),
    text("Parameters", (object) =>
      textAt(object, "spec", "parameters", "name") === ""
        ? "<none>"
        : `${textAt(object, "spec", "parameters", "kind")}${textAt(object, "spec", "parameters", "apiGroup") === "" ? "" : `.${textAt(object, "spec", "parameters", "apiGroup")}`}/${textAt(object, "spec", "parameters", "name")}`,
    ),
    AGE,
  ],
  "ingresses.networking.k8s.io": [
    NAME,
    text("Class", at("spec.ingressClassName", "<none>")),
    text("Hosts", (object) =>
      some([...new Set(listAt(object, "spec", "rules").map((rule) => textAt(rule, "host") || "*"))], "*"),
    ),
    text("Address", (object) => balancer(object).join(",")),
    text("Ports", (object) => (listAt(object, "spec", "tls").length > 0 ? "80, 443" : "80")),
    AGE,
  ],
  // That it has an age, upstream does not show.
  "ipaddresses.networking.k8s.io": [
    NAME,
    text("ParentRef", (object) => {
      const of = (field: string): string => textAt(object, "spec", "parentRef", field);
      if (of("name") === "") return "<none>";
      const resource = [of("resource"), of("group")].filter((one) => one !== "").join(".");
      return [resource.toLowerCase(), of("namespace"), of("name")].filter((one) => one !== "").join("/");
    }),
  ],
  "servicecidrs.networking.k8s.io": [
    NAME,
    text("CIDRs", (object) =>
      joined(
        listAt(object, "spec", "cidrs").map((one) => textAt(one)),
        "",
      ),
    ),
    AGE,
  ],
  services: [
    NAME,
    text("Type", at("spec.type")),
    text("Cluster-IP", (object) => textAt(listAt(object, "spec", "clusterIPs")[0] ?? "") || "<none>"),
    text("External-IP", externalAddress),
    text("Port(s)", (object) =>
      joined(
        listAt(object, "spec", "ports").map((port) => {
          const node = textAt(port, "nodePort");
          const name = node === "" || node === "0" ? textAt(port, "port") : `${textAt(port, "port")}:${node}`;
          return `${name}/${textAt(port, "protocol")}`;
        }),
      ),
    ),
    AGE,
    wide("Selector", (object) => selectorText(valueAt(object, "spec", "selector"), true)),
  ],
};

/** A few, and how many more there are. */
function some(values: readonly string[], otherwise = "<none>"): string {
  return values.length > 3
    ? `${values.slice(0, 3).join(",")} + ${values.length - 3} more...`
    : joined(values, otherwise);
}

function balancer(object: KubeObject): string[] {
  const ingress = listAt(object, "status", "loadBalancer", "ingress");
  const addresses = ingress.map((one) => textAt(one, "ip") || textAt(one, "hostname"));
  return [...new Set(addresses.filter((one) => one !== ""))].sort();
}

function externalAddress(service: KubeObject): string {
  const type = textAt(service, "spec", "type");
  if (type === "ExternalName") return textAt(service, "spec", "externalName");
  const external = listAt(service, "spec", "externalIPs").map((one) => textAt(one));
  const all = [...(type === "LoadBalancer" ? balancer(service) : []), ...external];
  return joined(all, type === "LoadBalancer" ? "<pending>" : "<none>");
}
