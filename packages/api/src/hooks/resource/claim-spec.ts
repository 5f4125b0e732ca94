import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { dnsLabel, dnsSubdomain } from "../../validation/names.ts";
import { checkConfiguration, checkFullAttributeName, checkItems, checkSelectors, checkToleration } from "./devices.ts";

export const MOST_REQUESTS = 32;
const MOST_ALTERNATIVES = 8;
export const MOST_CONFIGURATIONS = 32;

const nameOf = (one: Json): string => textAt(one, "name");
const requestsOf = (spec: Json | undefined): readonly Json[] => listAt(spec, "devices", "requests");

/** By the name of a request, the names of its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export const requestNames = (spec: Json | undefined): RequestNames =>
  new Map(requestsOf(spec).map((one) => [nameOf(one), new Set(listAt(one, "firstAvailable").map(nameOf))]));

const NO_REQUEST =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

/** `request` or `request/alternative` */
export function checkRequestName(found: Findings, at: string, name: string, names: RequestNames): void {
  const [request = "", alternative, ...more] = name.split("/");
  if (more.length > 0) {
    found.invalid(at, name, NO_REQUEST);
    return;
  }
  found.name(dnsLabel, at, request);
  if (alternative !== undefined) found.name(dnsLabel, at, alternative);
  const below = names.get(request);
  if (below === undefined || (alternative !== undefined && !below.has(alternative)))
    found.invalid(at, name, NO_REQUEST);
}

/** What a request and an alternative of one share. */
function checkWish(found: Findings, at: string, wish: Json): void {
  found.requiredName(dnsSubdomain, `${at}.deviceClassName`, textAt(wish, "deviceClassName"));
  checkSelectors(found, `${at}.selectors`, listAt(wish, "selectors"));
  const [mode, count] = [textAt(wish, "allocationMode"), Number(valueAt(wish, "count") ?? 0)];
  if (mode === "All") {
    if (count !== 0) found.invalid(`${at}.count`, count, "must not be specified when allocationMode is 'All'");
  } else if (mode !== "ExactCount") found.notSupported(`${at}.allocationMode`, mode, ["All", "ExactCount"]);
  else if (count <= 0) found.invalid(`${at}.count`, count, "must be greater than zero");
  for (const [index, one] of listAt(wish, "tolerations").entries())
    checkToleration(found, `${at}.tolerations[${index}]`, one);
}

function checkRequest(found: Findings, at: string, request: Json): void {
  found.name(dnsLabel, `${at}.name`, nameOf(request));
  const [exactly, alternatives] = [valueAt(request, "exactly"), listAt(request, "firstAvailable")];
  if (isObject(exactly) && alternatives.length > 0)
    found.invalid(at, null, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set");
  else if (isObject(exactly)) checkWish(found, `${at}.exactly`, exactly);
  else if (alternatives.length === 0) found.required(at, "exactly one of `exactly` or `firstAvailable` is required");
  else
    checkItems(
      found,
      `${at}.firstAvailable`,
      alternatives,
      MOST_ALTERNATIVES,
      (one, here) => {
        found.name(dnsLabel, `${here}.name`, nameOf(one));
        checkWish(found, here, one);
      },
      nameOf,
    );
}

export function checkRequestNames(found: Findings, at: string, holder: Json, names: RequestNames): void {
  const check = (one: Json, here: string): void => checkRequestName(found, here, textAt(one), names);
  checkItems(found, `${at}.requests`, listAt(holder, "requests"), MOST_REQUESTS, check, (one) => textAt(one));
}

function checkConstraint(found: Findings, at: string, constraint: Json, names: RequestNames): void {
  checkRequestNames(found, at, constraint, names);
  const attribute = ["matchAttribute", "distinctAttribute"].find((field) => valueAt(constraint, field) !== undefined);
  if (attribute !== undefined) checkFullAttributeName(found, `${at}.${attribute}`, textAt(constraint, attribute));
  else
    found.required(
      at,
      'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set',
    );
}

/** `resource/v1.ResourceClaimSpec` */
export function checkClaimSpec(found: Findings, at: string, spec: Json | undefined): void {
  const here = `${at}.devices`;
  const names = requestNames(spec);
  const check = (one: Json, place: string): void => checkRequest(found, place, one);
  checkItems(found, `${here}.requests`, requestsOf(spec), MOST_REQUESTS, check, nameOf);
  checkItems(found, `${here}.constraints`, listAt(spec, "devices", "constraints"), 32, (one, place) =>
    checkConstraint(found, place, one, names),
  );
  checkItems(found, `${here}.config`, listAt(spec, "devices", "config"), MOST_CONFIGURATIONS, (one, place) => {
    checkRequestNames(found, place, one, names);
    checkConfiguration(found, place, one);
  });
}

/** One device each, unless it is said otherwise. */
export function defaultRequests(spec: Json | undefined): void {
  for (const request of requestsOf(spec)) {
    for (const wish of [valueAt(request, "exactly"), ...listAt(request, "firstAvailable")]) {
      if (!isObject(wish)) continue;
      if (textAt(wish, "allocationMode") === "") wish["allocationMode"] = "ExactCount";
      if (wish["allocationMode"] === "ExactCount" && Number(wish["count"] ?? 0) === 0) wish["count"] = 1;
    }
  }
}
