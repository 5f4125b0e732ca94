/**
 * The built-in resources at general availability of Kubernetes 1.36, a line each: group, version, plural, kind, scope,
 * verbs (`all`, `no-collection`: all but deletecollection, `create`, `read`), definition, and what else it has.
 */
export const RESOURCES = `
core v1 bindings Binding namespaced create core.v1.Binding
core v1 componentstatuses ComponentStatus cluster read core.v1.ComponentStatus short=cs
core v1 configmaps ConfigMap namespaced all core.v1.ConfigMap short=cm
core v1 endpoints Endpoints namespaced all core.v1.Endpoints short=ep
core v1 events Event namespaced all core.v1.Event short=ev
core v1 limitranges LimitRange namespaced all core.v1.LimitRange short=limits
core v1 namespaces Namespace cluster no-collection core.v1.Namespace short=ns subresources=finalize,status
core v1 nodes Node cluster all core.v1.Node short=no subresources=proxy,status
core v1 persistentvolumeclaims PersistentVolumeClaim namespaced all core.v1.PersistentVolumeClaim short=pvc subresources=status
core v1 persistentvolumes PersistentVolume cluster all core.v1.PersistentVolume short=pv subresources=status
core v1 pods Pod namespaced all core.v1.Pod short=po categories=all subresources=attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
core v1 podtemplates PodTemplate namespaced all core.v1.PodTemplate
core v1 replicationcontrollers ReplicationController namespaced all core.v1.ReplicationController short=rc categories=all subresources=scale,status
core v1 resourcequotas ResourceQuota namespaced all core.v1.ResourceQuota short=quota subresources=status
core v1 secrets Secret namespaced all core.v1.Secret
core v1 serviceaccounts ServiceAccount namespaced all core.v1.ServiceAccount short=sa subresources=token
core v1 services Service namespaced all core.v1.Service short=svc categories=all subresources=proxy,status
admissionregistration.k8s.io v1 mutatingadmissionpolicies MutatingAdmissionPolicy cluster all admissionregistration.v1.MutatingAdmissionPolicy categories=api-extensions
admissionregistration.k8s.io v1 mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding cluster all admissionregistration.v1.MutatingAdmissionPolicyBinding categories=api-extensions
admissionregistration.k8s.io v1 mutatingwebhookconfigurations MutatingWebhookConfiguration cluster all admissionregistration.v1.MutatingWebhookConfiguration categories=api-extensions
admissionregistration.k8s.io v1 validatingadmissionpolicies ValidatingAdmissionPolicy cluster all admissionregistration.v1.ValidatingAdmissionPolicy categories=api-extensions subresources=status
admissionregistration.k8s.io v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster all admissionregistration.v1.ValidatingAdmissionPolicyBinding categories=api-extensions
admissionregistration.k8s.io v1 validatingwebhookconfigurations ValidatingWebhookConfiguration cluster all admissionregistration.v1.ValidatingWebhookConfiguration categories=api-extensions
apiextensions.k8s.io v1 customresourcedefinitions CustomResourceDefinition cluster all apiextensions.v1.CustomResourceDefinition short=crd,crds categories=api-extensions subresources=status
apiregistration.k8s.io v1 apiservices APIService cluster all apiregistration.v1.APIService categories=api-extensions subresources=status
apps v1 controllerrevisions ControllerRevision namespaced all apps.v1.ControllerRevision
apps v1 daemonsets DaemonSet namespaced all apps.v1.DaemonSet short=ds categories=all subresources=status
apps v1 deployments Deployment namespaced all apps.v1.Deployment short=deploy categories=all subresources=scale,status
apps v1 replicasets ReplicaSet namespaced all apps.v1.ReplicaSet short=rs categories=all subresources=scale,status
apps v1 statefulsets StatefulSet namespaced all apps.v1.StatefulSet short=sts categories=all subresources=scale,status
authentication.k8s.io v1 selfsubjectreviews SelfSubjectReview cluster create authentication.v1.SelfSubjectReview
authentication.k8s.io v1 tokenreviews TokenReview cluster create authentication.v1.TokenReview
authorization.k8s.io v1 localsubjectaccessreviews LocalSubjectAccessReview namespaced create authorization.v1.LocalSubjectAccessReview
authorization.k8s.io v1 selfsubjectaccessreviews SelfSubjectAccessReview cluster create authorization.v1.SelfSubjectAccessReview
authorization.k8s.io v1 selfsubjectrulesreviews SelfSubjectRulesReview cluster create authorization.v1.SelfSubjectRulesReview
authorization.k8s.io v1 subjectaccessreviews SubjectAccessReview cluster create authorization.v1.SubjectAccessReview
events.k8s.io v1 events Event namespaced all events.v1.Event short=ev stored=core/v1
autoscaling v1 horizontalpodautoscalers HorizontalPodAutoscaler namespaced all autoscaling.v1.HorizontalPodAutoscaler short=hpa categories=all subresources=status stored=autoscaling/v2
autoscaling v2 horizontalpodautoscalers HorizontalPodAutoscaler namespaced all autoscaling.v2.HorizontalPodAutoscaler short=hpa categories=all subresources=status
batch v1 cronjobs CronJob namespaced all batch.v1.CronJob short=cj categories=all subresources=status
batch v1 jobs Job namespaced all batch.v1.Job categories=all subresources=status
certificates.k8s.io v1 certificatesigningrequests CertificateSigningRequest cluster all certificates.v1.CertificateSigningRequest short=csr subresources=approval,status
coordination.k8s.io v1 leases Lease namespaced all coordination.v1.Lease
discovery.k8s.io v1 endpointslices EndpointSlice namespaced all discovery.v1.EndpointSlice
flowcontrol.apiserver.k8s.io v1 flowschemas FlowSchema cluster all flowcontrol.v1.FlowSchema subresources=status
flowcontrol.apiserver.k8s.io v1 prioritylevelconfigurations PriorityLevelConfiguration cluster all flowcontrol.v1.PriorityLevelConfiguration subresources=status
networking.k8s.io v1 ingressclasses IngressClass cluster all networking.v1.IngressClass
networking.k8s.io v1 ingresses Ingress namespaced all networking.v1.Ingress short=ing subresources=status
networking.k8s.io v1 ipaddresses IPAddress cluster all networking.v1.IPAddress short=ip
networking.k8s.io v1 networkpolicies NetworkPolicy namespaced all networking.v1.NetworkPolicy short=netpol
networking.k8s.io v1 servicecidrs ServiceCIDR cluster all networking.v1.ServiceCIDR subresources=status
node.k8s.io v1 runtimeclasses RuntimeClass cluster all node.v1.RuntimeClass
policy v1 poddisruptionbudgets PodDisruptionBudget namespaced all policy.v1.PodDisruptionBudget short=pdb subresources=status
rbac.authorization.k8s.io v1 clusterrolebindings ClusterRoleBinding cluster all rbac.v1.ClusterRoleBinding
rbac.authorization.k8s.io v1 clusterroles ClusterRole cluster all rbac.v1.ClusterRole
rbac.authorization.k8s.io v1 rolebindings RoleBinding namespaced all rbac.v1.RoleBinding
rbac.authorization.k8s.io v1 roles Role namespaced all rbac.v1.Role
resource.k8s.io v1 deviceclasses DeviceClass cluster all resource.v1.DeviceClass
resource.k8s.io v1 resourceclaims ResourceClaim namespaced all resource.v1.ResourceClaim subresources=status
resource.k8s.io v1 resourceclaimtemplates ResourceClaimTemplate namespaced all resource.v1.ResourceClaimTemplate
resource.k8s.io v1 resourceslices ResourceSlice cluster all resource.v1.ResourceSlice
scheduling.k8s.io v1 priorityclasses PriorityClass cluster all scheduling.v1.PriorityClass short=pc
storage.k8s.io v1 csidrivers CSIDriver cluster all storage.v1.CSIDriver
storage.k8s.io v1 csinodes CSINode cluster all storage.v1.CSINode
storage.k8s.io v1 csistoragecapacities CSIStorageCapacity namespaced all storage.v1.CSIStorageCapacity
storage.k8s.io v1 storageclasses StorageClass cluster all storage.v1.StorageClass short=sc
storage.k8s.io v1 volumeattachments VolumeAttachment cluster all storage.v1.VolumeAttachment subresources=status
storage.k8s.io v1 volumeattributesclasses VolumeAttributesClass cluster all storage.v1.VolumeAttributesClass short=vac
`;
