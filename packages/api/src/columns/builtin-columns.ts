import type { Column, Kind } from "../kind/kind.ts";
import { apiVersionOf } from "../object/kube-object.ts";
import { qualified } from "../status/failures.ts";
import { CLUSTER_COLUMNS } from "./cluster-columns.ts";
import { AGE, NAME } from "./column.ts";
import { NETWORK_COLUMNS } from "./network-columns.ts";
import { POD_COLUMNS } from "./pod-columns.ts";
import { WORKLOAD_COLUMNS } from "./workload-columns.ts";

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  ...CLUSTER_COLUMNS,
  ...NETWORK_COLUMNS,
  ...WORKLOAD_COLUMNS,
  pods: POD_COLUMNS,
};

const PLAIN: readonly Column[] = [NAME, AGE];

/** The columns of a built-in kind; those of another version than the one that is kept are made from that one. */
export function columnsOf({
  group,
  resource,
  version,
  storageGroup,
  storageVersion,
  conversion,
}: Kind): readonly Column[] {
  const columns = COLUMNS[qualified({ group: storageGroup, resource })] ?? PLAIN;
  const convert = conversion?.convert;
  if (convert === undefined || (group === storageGroup && version === storageVersion)) return columns;
  const stored = apiVersionOf({ group: storageGroup, version: storageVersion });
  return columns.map((column) => ({ ...column, cell: (object, now) => column.cell(convert(object, stored), now) }));
}
