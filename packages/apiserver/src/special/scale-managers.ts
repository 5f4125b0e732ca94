import {
  apiVersionOf,
  FieldSet,
  type Kind,
  type KubeObject,
  type Manager,
  readManagers,
  writeManagers,
} from "@boxship/api";

type Entries = KubeObject["metadata"]["managedFields"];

/** Of `autoscaling/v1.Scale`, the one field that somebody manages. */
const REPLICAS = pathSet(["spec", "replicas"]);
const SCALE_VERSION = "autoscaling/v1";

function pathSet(path: readonly string[]): FieldSet {
  const root = new FieldSet();
  let at = root;
  for (const field of path) at = at.child(`f:${field}`);
  at.member = true;
  return root;
}

const isEmpty = (set: FieldSet): boolean => set.isEmpty;

/** Who manages the number of an object's replicas, as managers of its scale. */
export function scaleManagers(kind: Kind, entries: Entries): Entries {
  const path = pathSet(kind.scale?.specReplicas ?? []);
  const owners = readManagers(entries).filter(
    ({ apiVersion, fields }) => isKnown(kind, apiVersion) && !isEmpty(fields.intersection(path)),
  );
  return writeManagers(owners.map((one) => ({ ...one, apiVersion: SCALE_VERSION, fields: REPLICAS })));
}

/** Custom kinds have the same path in all their versions here. */
const isKnown = (kind: Kind, apiVersion: string): boolean =>
  kind.conversion === undefined ? apiVersion === apiVersionOf(kind) : kind.conversion.schemas.has(apiVersion);

/**
 * The managers of an object whose scale was changed: who manages the replicas is what the scale's managers say, and the rest is as
 * it was.
 *
 * @param entries of the object before
 * @param scale of the scale after
 */
export function objectManagers(kind: Kind, entries: Entries, scale: Entries): Entries {
  const path = pathSet(kind.scale?.specReplicas ?? []);
  const left = new Map(readManagers(scale).map((one) => [identity(one), one]));
  const managers: Manager[] = [];
  for (const one of readManagers(entries)) {
    if (!isKnown(kind, one.apiVersion)) continue;
    const isKept = left.delete(identity(one)) || isEmpty(one.fields.intersection(path));
    managers.push(isKept ? one : { ...one, fields: one.fields.difference(path) });
  }
  const apiVersion = apiVersionOf(kind);
  for (const one of left.values()) managers.push({ ...one, apiVersion, fields: path });
  return writeManagers(managers);
}

const identity = ({ name, operation, subresource }: Manager): string => JSON.stringify([name, operation, subresource]);
