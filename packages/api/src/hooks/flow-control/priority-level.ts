import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkConditions } from "./flow-schema.ts";

const MOST_QUEUES = 10_000_000;
/** Of the number by which a request's queues are drawn. */
const HASH_BITS = 60;
const ZERO_SHARES = "flowcontrol.k8s.io/concurrency-shares-defaults-to-zero";

/** The level of what no other schema takes. */
const CATCH_ALL: Json = {
  type: "Limited",
  limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: "Reject" } },
};

function checkShares(found: Findings, at: string, level: Json): void {
  const number = (field: string): number => Number(valueAt(level, field) ?? 0);
  const shares = number("nominalConcurrencyShares");
  if (shares < 0) found.invalid(`${at}.nominalConcurrencyShares`, shares, "must be a non-negative integer");
}

function checkLendable(found: Findings, at: string, level: Json): void {
  found.between(`${at}.lendablePercent`, valueAt(level, "lendablePercent"), 0, 100);
}

function checkQueues(found: Findings, at: string, queuing: Json): void {
  const number = (field: string): number => Number(valueAt(queuing, field) ?? 0);
  const [length, queues, hand] = [number("queueLengthLimit"), number("queues"), number("handSize")];
  if (length <= 0) found.invalid(`${at}.queueLengthLimit`, length, "must be positive");
  if (queues <= 0) found.invalid(`${at}.queues`, queues, "must be positive");
  else if (queues > MOST_QUEUES) found.invalid(`${at}.queues`, queues, `must not be greater than ${MOST_QUEUES}`);
  const field = `${at}.handSize`;
  if (hand <= 0) found.invalid(field, hand, "must be positive");
  else if (hand > queues) found.invalid(field, hand, `should not be greater than queues (${queues})`);
  else if (Math.ceil(Math.log2(queues) * hand) > HASH_BITS) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than ${HASH_BITS}`;
    found.invalid(field, hand, why);
  }
}

function checkResponse(found: Findings, at: string, response: Json | undefined): void {
  const [type, queuing] = [textAt(response, "type"), valueAt(response, "queuing")];
  if (type === "Reject") {
    if (isObject(queuing)) found.forbidden(`${at}.queuing`, "must be nil if limited.limitResponse.type is not Limited");
  } else if (type !== "Queue") found.notSupported(`${at}.type`, type, ["Queue", "Reject"]);
  else if (isObject(queuing)) checkQueues(found, `${at}.queuing`, queuing);
  else found.required(`${at}.queuing`, "must not be empty if limited.limitResponse.type is Limited");
}

function checkLimited(found: Findings, at: string, level: Json): void {
  checkShares(found, at, level);
  checkResponse(found, `${at}.limitResponse`, valueAt(level, "limitResponse"));
  checkLendable(found, at, level);
  const borrowed = valueAt(level, "borrowingLimitPercent");
  if (typeof borrowed === "number" && borrowed < 0)
    found.invalid(`${at}.borrowingLimitPercent`, borrowed, "if specified, must be a non-negative integer");
}

function checkLevel(found: Findings, { metadata, spec }: KubeObject): void {
  if (metadata.annotations?.[ZERO_SHARES] !== undefined)
    found.forbidden("metadata.annotations", `annotation '${ZERO_SHARES}' is forbidden`);
  const [type, limited, exempt] = [textAt(spec, "type"), valueAt(spec, "limited"), valueAt(spec, "exempt")];
  if ((metadata.name === "exempt") !== (type === "Exempt"))
    found.invalid("spec.type", type, "must be 'Exempt' if and only if `name` is 'exempt'");
  if (type === "Exempt") {
    if (isObject(limited)) found.forbidden("spec.limited", "must be nil if the type is not Limited");
    if (isObject(exempt)) {
      checkShares(found, "spec.exempt", exempt);
      checkLendable(found, "spec.exempt", exempt);
    }
  } else if (type === "Limited") {
    if (isObject(exempt)) found.forbidden("spec.exempt", "must be nil if the type is Limited");
    if (isObject(limited)) checkLimited(found, "spec.limited", limited);
    else found.required("spec.limited", "must not be empty when type is Limited");
  } else found.notSupported("spec.type", type, ["Exempt", "Limited"]);
  checkFixed(found, metadata.name, spec);
}

/** The levels that a server cannot do without stay as they are, but for the shares of the exempt one. */
function checkFixed(found: Findings, name: string | undefined, spec: Json | undefined): void {
  if (name === "exempt") {
    const rest = isObject(spec) ? { ...spec, exempt: null } : null;
    if (!deepEqual(rest, { type: "Exempt", exempt: null }))
      found.invalid("spec", spec, "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value");
  } else if (name === "catch-all" && !deepEqual(spec, CATCH_ALL))
    found.invalid("spec", spec, "spec of 'catch-all' must equal the fixed value");
}

/** `flowcontrol/v1.PriorityLevelConfiguration` */
export const priorityLevel: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: (object) => findingsOf((found) => checkLevel(found, object)),
  validateStatus: (object) => findingsOf((found) => checkConditions(found, object)),
};
