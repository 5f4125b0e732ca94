import type { Column } from "../kind/kind.ts";
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

/** The columns of a built-in kind. */
export function columnsOf({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): readonly Column[] {
  return COLUMNS[group === "" ? resource : `${resource}.${group}`] ?? PLAIN;
}
