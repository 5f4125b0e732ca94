import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { checkNetwork, isStrictlyWithin, networkWarnings, parseNetwork } from "../../validation/addresses.ts";
import { Findings, findingsOf } from "../../validation/findings.ts";
import { portName } from "../../validation/names.ts";
import { checkSelector, type SelectorOptions } from "../../validation/selectors.ts";

const WAYS = [
  ["ingress", "from"],
  ["egress", "to"],
] as const;

interface Options extends SelectorOptions {
  /** Networks of the old policy, which may stay as they were. */
  readonly known: readonly string[];
}

interface Peer {
  readonly at: string;
  readonly block: Json;
}

/** The blocks of addresses of a policy's peers. */
const blocksOf = (policy: KubeObject): readonly Peer[] =>
  WAYS.flatMap(([way, peers]) =>
    listAt(policy, "spec", way).flatMap((rule, index) =>
      listAt(rule, peers).flatMap((peer, place) => {
        const block = valueAt(peer, "ipBlock");
        return isObject(block) ? [{ at: `spec.${way}[${index}].${peers}[${place}].ipBlock`, block }] : [];
      }),
    ),
  );

const networksOf = ({ block }: Peer): readonly string[] => [
  textAt(block, "cidr"),
  ...listAt(block, "except").map((one) => textAt(one)),
];

function optionsOf(old: KubeObject | undefined): Options {
  if (old === undefined) return { known: [] };
  const before = new Findings();
  checkSelector(before, "spec.podSelector", valueAt(old, "spec", "podSelector"));
  return { known: blocksOf(old).flatMap(networksOf), anyValues: before.all.length > 0 };
}

function checkPolicy(found: Findings, { spec }: KubeObject, options: Options): void {
  checkSelector(found, "spec.podSelector", valueAt(spec, "podSelector"), options);
  for (const [way, peers] of WAYS) {
    for (const [index, rule] of listAt(spec, way).entries()) {
      const at = `spec.${way}[${index}]`;
      for (const [place, port] of listAt(rule, "ports").entries()) checkPort(found, `${at}.ports[${place}]`, port);
      for (const [place, peer] of listAt(rule, peers).entries())
        checkPeer(found, `${at}.${peers}[${place}]`, peer, options);
    }
  }
  const types = listAt(spec, "policyTypes");
  if (types.length > 2) found.invalid("spec.policyTypes", [...types], "may not specify more than two policyTypes");
  else
    for (const [index, type] of types.entries()) found.oneOf(`spec.policyTypes[${index}]`, type, ["Ingress", "Egress"]);
}

function checkPort(found: Findings, at: string, rule: Json): void {
  found.oneOf(`${at}.protocol`, valueAt(rule, "protocol"), ["TCP", "UDP", "SCTP"]);
  const [port, end] = [valueAt(rule, "port"), valueAt(rule, "endPort")];
  if (typeof port === "number") {
    found.port(`${at}.port`, port);
    if (typeof end !== "number") return;
    if (end < port) found.invalid(`${at}.endPort`, end, "must be greater than or equal to `port`");
    found.port(`${at}.endPort`, end);
  } else if (typeof port === "string") {
    if (typeof end === "number") found.invalid(`${at}.endPort`, end, "may not be specified when `port` is non-numeric");
    found.name(portName, `${at}.port`, port);
  } else if (typeof end === "number")
    found.invalid(`${at}.endPort`, end, "may not be specified when `port` is not specified");
}

function checkPeer(found: Findings, at: string, peer: Json, options: Options): void {
  const [pods, namespaces] = [valueAt(peer, "podSelector"), valueAt(peer, "namespaceSelector")];
  const block = valueAt(peer, "ipBlock");
  checkSelector(found, `${at}.podSelector`, pods, options);
  checkSelector(found, `${at}.namespaceSelector`, namespaces, options);
  if (isObject(block)) checkBlock(found, `${at}.ipBlock`, block, options);
  const others = [pods, namespaces].filter(isObject).length;
  if (isObject(block)) {
    if (others > 0) found.forbidden(at, "may not specify both ipBlock and another peer");
  } else if (others === 0) found.required(at, "must specify a peer");
}

function checkBlock(found: Findings, at: string, block: Json, { known }: Options): void {
  const cidr = textAt(block, "cidr");
  if (cidr === "") {
    found.required(`${at}.cidr`);
    return;
  }
  checkNetwork(found, `${at}.cidr`, cidr, known);
  const outer = parseNetwork(cidr);
  if (outer === undefined) return;
  for (const [index, one] of listAt(block, "except").entries()) {
    const except = textAt(one);
    checkNetwork(found, `${at}.except[${index}]`, except, known);
    const inner = parseNetwork(except);
    if (inner !== undefined && !isStrictlyWithin(inner, outer))
      found.invalid(`${at}.except[${index}]`, except, "must be a strict subset of `cidr`");
  }
}

/** `networking/v1.NetworkPolicy` */
export const networkPolicy: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    const own = object["spec"];
    if (isObject(own)) own["policyTypes"] ??= listAt(own, "egress").length > 0 ? ["Ingress", "Egress"] : ["Ingress"];
  },
  validate: (object, old) => findingsOf((found) => checkPolicy(found, object, optionsOf(old))),
  warnings: (object) =>
    blocksOf(object).flatMap((peer) =>
      networksOf(peer).flatMap((text, index) =>
        networkWarnings(index === 0 ? `${peer.at}.cidr` : `${peer.at}.except[${index - 1}]`, text),
      ),
    ),
};
