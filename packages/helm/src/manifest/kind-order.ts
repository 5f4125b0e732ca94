/** Kinds in the order in which they are made; those that others need stand first. */
const INSTALL_ORDER: readonly string[] =
  "PriorityClass Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy PodDisruptionBudget ServiceAccount Secret SecretList ConfigMap StorageClass PersistentVolume PersistentVolumeClaim CustomResourceDefinition ClusterRole ClusterRoleList ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding RoleBindingList Service DaemonSet Pod ReplicationController ReplicaSet Deployment HorizontalPodAutoscaler StatefulSet Job CronJob IngressClass Ingress APIService MutatingWebhookConfiguration ValidatingWebhookConfiguration".split(
    " ",
  );

/** The order in which they are deleted. */
const UNINSTALL_ORDER: readonly string[] =
  "ValidatingWebhookConfiguration MutatingWebhookConfiguration APIService Ingress IngressClass Service CronJob Job StatefulSet HorizontalPodAutoscaler Deployment ReplicaSet ReplicationController Pod DaemonSet RoleBindingList RoleBinding RoleList Role ClusterRoleBindingList ClusterRoleBinding ClusterRoleList ClusterRole CustomResourceDefinition PersistentVolumeClaim PersistentVolume StorageClass ConfigMap SecretList Secret ServiceAccount PodDisruptionBudget PodSecurityPolicy LimitRange ResourceQuota NetworkPolicy Namespace PriorityClass".split(
    " ",
  );

const ranks = (order: readonly string[]): ReadonlyMap<string, number> => new Map(order.map((kind, at) => [kind, at]));
const RANKS = { install: ranks(INSTALL_ORDER), uninstall: ranks(UNINSTALL_ORDER) };

/** Sorts by kind; kinds that nobody knows come last, by name. What is alike stays as it was. */
export function sortByKind<T extends { readonly kind: string }>(
  items: readonly T[],
  order: keyof typeof RANKS,
): readonly T[] {
  const rank = ({ kind }: T): number => RANKS[order].get(kind) ?? Number.MAX_SAFE_INTEGER;
  return items.toSorted(
    (a, b) =>
      rank(a) - rank(b) || (rank(a) === Number.MAX_SAFE_INTEGER && a.kind !== b.kind ? (a.kind < b.kind ? -1 : 1) : 0),
  );
}
