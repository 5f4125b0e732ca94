import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { checkInterfaceAddress } from "../../validation/addresses.ts";
import { checkConditions } from "../../validation/conditions.ts";
import type { Findings } from "../../validation/findings.ts";
import { qualifiedName } from "../../validation/names.ts";
import { checkNodeSelector } from "../../validation/node-selectors.ts";
import { checkDriverName } from "../storage/csi-objects.ts";
import {
  checkRequestName,
  checkRequestNames,
  MOST_CONFIGURATIONS,
  MOST_REQUESTS,
  type RequestNames,
  requestNames,
} from "./claim-spec.ts";
import { checkConfiguration, checkDeviceName, checkItems, checkObject, checkPoolName } from "./devices.ts";

const MOST_CONSUMERS = 256;
const MOST_BINDING_CONDITIONS = 4;
const MOST_CONDITIONS = 8;
const MOST_ADDRESSES = 16;
const LONGEST_DATA = 10 * 1024;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A device, or a share of one. */
const deviceOf = (one: Json): string => {
  const [driver, pool, device, share] = ["driver", "pool", "device", "shareID"].map((field) => textAt(one, field));
  return `${driver}/${pool}/${device}${share === "" ? "" : `/${share}`}`;
};

function checkShare(found: Findings, at: string, share: Json | undefined): void {
  if (typeof share !== "string" || UUID.test(share)) return;
  const why = UUID.test(share.toLowerCase())
    ? "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters"
    : `error validating uid: invalid UUID length: ${share.length}`;
  found.invalid(at, share, why);
}

/** What has to be so before a pod is bound, and what means that it never will. */
export function checkBindingConditions(found: Findings, at: string, holder: Json): void {
  const [wanted, failures] = ["bindingConditions", "bindingFailureConditions"].map((field) =>
    listAt(holder, field),
  ) as [readonly Json[], readonly Json[]];
  const [here, there] = [`${at}.bindingConditions`, `${at}.bindingFailureConditions`];
  const check = (one: Json, place: string): void => found.name(qualifiedName, place, textAt(one));
  checkItems(found, here, wanted, MOST_BINDING_CONDITIONS, check);
  checkItems(found, there, failures, MOST_BINDING_CONDITIONS, check);
  for (const [index, one] of wanted.entries())
    if (wanted.indexOf(one) < index) found.duplicate(`${here}[${index}]`, one);
  for (const [index, one] of failures.entries()) {
    if (failures.indexOf(one) < index) found.duplicate(`${there}[${index}]`, one);
    if (wanted.includes(one))
      found.invalid(`${there}[${index}]`, one, "bindingFailureConditions must not overlap with bindingConditions");
  }
  if (wanted.length === 0 && failures.length > 0)
    found.invalid(here, null, "bindingConditions are required to use bindingFailureConditions");
  if (failures.length === 0 && wanted.length > 0)
    found.invalid(there, null, "bindingFailureConditions are required to use bindingConditions");
}

function checkDevice(found: Findings, at: string, one: Json): void {
  checkDriverName(found, `${at}.driver`, textAt(one, "driver"));
  checkPoolName(found, `${at}.pool`, textAt(one, "pool"));
  checkDeviceName(found, `${at}.device`, textAt(one, "device"));
}

function checkAllocation(found: Findings, at: string, allocation: Json, names: RequestNames): void {
  const here = `${at}.devices`;
  checkItems(found, `${here}.results`, listAt(allocation, "devices", "results"), MOST_REQUESTS, (one, place) => {
    checkRequestName(found, `${place}.request`, textAt(one, "request"), names);
    checkDevice(found, place, one);
    checkBindingConditions(found, place, one);
    checkShare(found, `${place}.shareID`, valueAt(one, "shareID"));
  });
  const configurations = listAt(allocation, "devices", "config");
  checkItems(found, `${here}.config`, configurations, 2 * MOST_CONFIGURATIONS, (one, place) => {
    const source = textAt(one, "source");
    if (source === "") found.required(`${place}.source`);
    else found.oneOf(`${place}.source`, source, ["FromClaim", "FromClass"]);
    checkRequestNames(found, place, one, names);
    checkConfiguration(found, place, one);
  });
  const selector = valueAt(allocation, "nodeSelector");
  if (isObject(selector)) checkNodeSelector(found, `${at}.nodeSelector`, selector);
}

function checkNetwork(found: Findings, at: string, data: Json | undefined): void {
  if (!isObject(data)) return;
  for (const [field, longest] of [
    ["interfaceName", 256],
    ["hardwareAddress", 128],
  ] as const)
    if (Buffer.byteLength(textAt(data, field)) > longest) found.tooLong(`${at}.${field}`, longest);
  const check = (one: Json, place: string): void => checkInterfaceAddress(found, place, textAt(one));
  checkItems(found, `${at}.ips`, listAt(data, "ips"), MOST_ADDRESSES, check, (one) => textAt(one));
}

function checkDeviceStatus(found: Findings, at: string, one: Json, allocated: ReadonlySet<string>): void {
  checkDevice(found, at, one);
  checkShare(found, `${at}.shareID`, valueAt(one, "shareID"));
  if (!allocated.has(deviceOf(one))) found.invalid(at, deviceOf(one), "must be an allocated device in the claim");
  const conditions = listAt(one, "conditions");
  if (conditions.length > MOST_CONDITIONS) found.tooMany(`${at}.conditions`, conditions.length, MOST_CONDITIONS);
  checkConditions(found, `${at}.conditions`, conditions);
  const data = valueAt(one, "data");
  if (data !== undefined) checkObject(found, `${at}.data`, data, LONGEST_DATA);
  checkNetwork(found, `${at}.networkData`, valueAt(one, "networkData"));
}

function checkReserved(found: Findings, { metadata, status }: KubeObject, old: KubeObject): void {
  const at = "status.reservedFor";
  const reserved = listAt(status, "reservedFor");
  checkItems(
    found,
    at,
    reserved,
    MOST_CONSUMERS,
    (one, place) => {
      for (const field of ["resource", "name", "uid"])
        if (textAt(one, field) === "") found.required(`${place}.${field}`);
    },
    (one) => textAt(one, "uid"),
  );
  if (reserved.length === 0) return;
  const before = listAt(old["status"], "reservedFor");
  if (!isObject(valueAt(status, "allocation"))) found.forbidden(at, "may not be specified when `allocated` is not set");
  else if (
    metadata.deletionTimestamp !== undefined &&
    reserved.some((one) => !before.some((was) => deepEqual(was, one)))
  )
    found.forbidden(at, "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set");
}

/** `resource/v1.ResourceClaimStatus`, of a claim that was another. */
export function checkClaimStatus(found: Findings, claim: KubeObject, old: KubeObject): void {
  const { spec, status } = claim;
  const [now, before] = [valueAt(status, "allocation"), valueAt(old["status"], "allocation")];
  checkReserved(found, claim, old);
  const allocated = new Set(listAt(now, "devices", "results").map(deviceOf));
  const check = (one: Json, place: string): void => checkDeviceStatus(found, place, one, allocated);
  checkItems(found, "status.devices", listAt(status, "devices"), Number.POSITIVE_INFINITY, check, deviceOf);
  if (isObject(now) && isObject(before)) found.immutable("status.allocation", now, before);
  else if (isObject(now)) checkAllocation(found, "status.allocation", now, requestNames(spec));
}
