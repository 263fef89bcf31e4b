{{/* What every pod and container has in common. */}}

{{- define "stratvector.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "stratvector.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The head of a pod's spec. Takes (dict "root" $ "component" NAME "account" OBJECT'S NAME).
Without service links: the kubelet would add variables such as STRATVECTOR_GATEWAY_PORT, which a service
would take for a setting that it does not know. */}}
{{- define "stratvector.podHead" -}}
{{- $own := index .root.Values.services .component | default dict -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "stratvector.podSecurity" . | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.nodeSelector | default .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations | default .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Replicas keep apart: preferred by node, and spread where the values say so. */}}
{{- define "stratvector.spread" -}}
{{- $selector := include "stratvector.selector" . | fromYaml -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- toYaml $selector | nindent 14 }}
{{- with .root.Values.topologySpread }}
{{- if .enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .topologyKey }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- toYaml $selector | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "port" NAME "scheme" … "alive" PATH "ready" PATH). Five minutes to start. */}}
{{- define "stratvector.probes" -}}
startupProbe:
  httpGet: {path: {{ .alive | quote }}, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: {{ .alive | quote }}, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: {{ .ready | quote }}, port: {{ .port }}, scheme: {{ .scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* A secret's volume. Takes (dict "name" VOLUME "secret" OBJECT'S NAME). */}}
{{- define "stratvector.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end -}}

{{- define "stratvector.temporaryVolume" -}}
- name: tmp
  emptyDir: {sizeLimit: 512Mi}
{{- end -}}

{{/* The configuration's folder, whose keys can have no slash. */}}
{{- define "stratvector.configVolume" -}}
- name: config
  configMap:
    name: {{ include "stratvector.fullname" . }}-config
    defaultMode: 0440
    items:
      {{- range $path, $_ := include "stratvector.configFiles" . | fromJson }}
      - {key: {{ $path | replace "/" "." | quote }}, path: {{ $path | quote }}}
      {{- end }}
{{- end -}}

{{/* The volume `data` of a workload. Takes (dict "name" … "persistence" …): nothing where a StatefulSet makes
its own claims. */}}
{{- define "stratvector.dataVolume" -}}
{{- if .persistence.existingClaim -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ .persistence.existingClaim }}
{{- else if not .persistence.storageClass -}}
- name: data
  emptyDir: {sizeLimit: {{ .persistence.size }}}
{{- end -}}
{{- end -}}

{{/* The claims of a StatefulSet, by the same. */}}
{{- define "stratvector.dataClaims" -}}
{{- if and .persistence.storageClass (not .persistence.existingClaim) -}}
volumeClaimTemplates:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: {{ .persistence.storageClass }}
      resources:
        requests:
          storage: {{ .persistence.size }}
{{- end -}}
{{- end -}}

{{/* Where the command finds its bus, its key and its certificate. Takes (dict "root" $ "seed" USER). */}}
{{- define "stratvector.commandEnvironment" -}}
- name: STRATVECTOR_NATS_URL
  value: {{ include "stratvector.natsUrl" .root | quote }}
- name: STRATVECTOR_NATS_SEED_FILE
  value: /run/stratvector/keys/{{ .seed }}.seed
{{- if .root.Values.tls.enabled }}
- name: STRATVECTOR_TLS_CA_FILE
  value: /run/stratvector/tls/ca.crt
- name: STRATVECTOR_TLS_CERTIFICATE_FILE
  value: /run/stratvector/tls/tls.crt
- name: STRATVECTOR_TLS_KEY_FILE
  value: /run/stratvector/tls/tls.key
{{- end }}
- name: HOME
  value: /tmp
{{- end -}}
