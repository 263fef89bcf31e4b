{{/* The nine services: what each asks, reads and keeps; and the pod that all of them are made by. */}}

{{/* By service. bus: is on NATS. asks: whom by gRPC, beside its own replicas. volume: where it keeps what is
its own. config: reads the configuration's folder. claims: the volume is a StatefulSet's. */}}
{{- define "stratvector.services" -}}
market_data: {bus: true, asks: [], volume: /var/lib/stratvector}
strategy: {bus: true, asks: []}
risk: {bus: true, asks: [monte_carlo]}
execution: {bus: true, asks: []}
ledger: {bus: true, asks: []}
drift: {bus: true, asks: [], config: true}
research: {bus: false, asks: [], volume: /var/lib/stratvector, config: true}
gateway: {bus: true, asks: [ledger, risk, strategy, monte_carlo, drift, research]}
monte_carlo: {bus: true, asks: []}
{{- end -}}

{{/* Whether a service has a volume, hence is a StatefulSet: `true` or nothing. Takes (dict "root" $ "name" …). */}}
{{- define "stratvector.hasVolume" -}}
{{- $facts := get (include "stratvector.services" . | fromYaml) .name -}}
{{- if or $facts.volume (and (eq .name "ledger") (eq .root.Values.services.ledger.database "sqlite")) -}}true{{- end -}}
{{- end -}}

{{/* Whether another component scales a service, so that it states no replicas. */}}
{{- define "stratvector.isScaled" -}}
{{- if (get .root.Values.services .name).autoscaling.enabled -}}true{{- end -}}
{{- end -}}

{{/* The settings of a service as variables. Takes (dict "root" $ "name" SERVICE). */}}
{{- define "stratvector.environment" -}}
{{- $root := .root -}}
{{- $fullname := include "stratvector.fullname" $root -}}
{{- $facts := get (include "stratvector.services" . | fromYaml) .name -}}
{{- $own := get $root.Values.services .name -}}
{{- $host := printf "%s-%s" $fullname (include "stratvector.identity" .name) -}}
{{- $hosts := list -}}
{{- range ternary (list $host (printf "%s-console" $fullname)) (list $host) (eq .name "gateway") -}}
{{- $hosts = concat $hosts (list . (printf "%s.%s" . $root.Release.Namespace) (printf "%s.%s.svc" . $root.Release.Namespace)) -}}
{{- end -}}
{{- $settings := dict "log_level" $root.Values.logLevel -}}
{{- if $facts.bus -}}
{{- $_ := set $settings "nats_url" (include "stratvector.natsUrl" $root) -}}
{{- $_ := set $settings "nats_seed_file" (printf "/run/stratvector/keys/%s.seed" .name) -}}
{{- end -}}
{{- if $root.Values.tls.enabled -}}
{{- $_ := set $settings "tls_ca_file" "/run/stratvector/tls/ca.crt" -}}
{{- $_ := set $settings "tls_certificate_file" "/run/stratvector/tls/tls.crt" -}}
{{- $_ := set $settings "tls_key_file" "/run/stratvector/tls/tls.key" -}}
{{- end -}}
{{- if and $root.Values.otlpEndpoint (ne .name "monte_carlo") -}}
{{- $_ := set $settings "otlp_endpoint" $root.Values.otlpEndpoint -}}
{{- end -}}
{{- range $asked := $facts.asks -}}
{{- $_ := set $settings (printf "%s_grpc" $asked) (printf "%s-%s:50051" $fullname (include "stratvector.identity" $asked)) -}}
{{- end -}}
{{- if eq .name "market_data" -}}
{{- $_ := set $settings "store" "/var/lib/stratvector/store" -}}
{{- else if eq .name "research" -}}
{{- $_ := set $settings "config_folder" "/etc/stratvector/config" -}}
{{- $_ := set $settings "results_folder" "/var/lib/stratvector/jobs" -}}
{{- else if eq .name "drift" -}}
{{- $_ := set $settings "drift_config" "/etc/stratvector/config/drift.yaml" -}}
{{- else if eq .name "gateway" -}}
{{- $_ := set $settings "auth" "token" -}}
{{- $_ := set $settings "token_file" "/run/stratvector/keys/gateway.token" -}}
{{- $_ := set $settings "probes" (include "stratvector.gatewayProbes" $root | fromYaml | toJson) -}}
{{- if $root.Values.ingress.enabled -}}
{{- $hosts = append $hosts $root.Values.ingress.host -}}
{{- end -}}
{{- end -}}
{{- $_ := set $settings "allowed_hosts" (toJson $hosts) -}}
{{- if and (eq .name "ledger") (eq $own.database "sqlite") -}}
{{- $_ := set $settings "database_url" "sqlite:////var/lib/stratvector/ledger.db" -}}
{{- end -}}
{{- $settings = mergeOverwrite $settings (deepCopy $own.settings) -}}
{{- if and (eq .name "ledger") (ne $own.database "sqlite") }}
{{ include "stratvector.databaseEnvironment" $root }}
{{- end }}
{{- range $key, $value := $settings }}
- name: {{ printf "STRATVECTOR_%s_%s" $.name $key | upper }}
  value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}

{{/* Where the gateway asks for each service's readiness. */}}
{{- define "stratvector.gatewayProbes" -}}
{{- $fullname := include "stratvector.fullname" . -}}
{{- $scheme := include "stratvector.scheme" . | lower -}}
{{- range $name, $_ := include "stratvector.services" . | fromYaml }}
{{ $name }}: {{ $scheme }}://{{ $fullname }}-{{ include "stratvector.identity" $name }}:9100
{{- end }}
{{- end -}}

{{/* The ledger's database: this chart's PostgreSQL, or somebody's. */}}
{{- define "stratvector.databaseEnvironment" -}}
{{- $ledger := .Values.services.ledger -}}
{{- $url := printf "postgresql://stratvector@%s-postgresql:5432/ledger" (include "stratvector.fullname" .) -}}
{{- if eq $ledger.database "external" -}}
{{- $url = required "services.ledger.external.url must name the database" $ledger.external.url -}}
{{- end -}}
- name: STRATVECTOR_LEDGER_DATABASE_URL
  value: {{ $url | quote }}
- name: STRATVECTOR_LEDGER_DATABASE_PASSWORD_FILE
  value: /run/stratvector/database/password
{{- end -}}

{{- define "stratvector.databaseMount" -}}
- {name: database, mountPath: /run/stratvector/database, readOnly: true}
{{- end -}}

{{/* Its password, as a file. */}}
{{- define "stratvector.databaseVolume" -}}
{{- $ledger := .Values.services.ledger -}}
{{- $secret := printf "%s-postgresql" (include "stratvector.fullname" .) -}}
{{- $key := "password" -}}
{{- if eq $ledger.database "external" -}}
{{- $secret = required "services.ledger.external.passwordSecret must name the Secret with the password" $ledger.external.passwordSecret -}}
{{- $key = $ledger.external.passwordKey -}}
{{- end -}}
- name: database
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
    items: [{key: {{ $key }}, path: password}]
{{- end -}}

{{/* The pod of a service. Takes (dict "root" $ "name" SERVICE). */}}
{{- define "stratvector.pod" -}}
{{- $root := .root -}}
{{- $facts := get (include "stratvector.services" . | fromYaml) .name -}}
{{- $own := get $root.Values.services .name -}}
{{- $identity := include "stratvector.identity" .name -}}
{{- $fullname := include "stratvector.fullname" $root -}}
{{- $hasVolume := include "stratvector.hasVolume" . -}}
{{- $asksDatabase := and (eq .name "ledger") (ne $own.database "sqlite") -}}
{{- $part := dict "root" $root "component" .name -}}
metadata:
  labels:
    {{- include "stratvector.selector" $part | nindent 4 }}
    {{- with $root.Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ $identity }}
    {{- if $facts.config }}
    checksum/config: {{ include "stratvector.configFiles" $root | sha256sum }}
    {{- end }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "stratvector.podHead" (dict "root" $root "component" .name "account" (printf "%s-%s" $fullname $identity)) | nindent 2 }}
  {{- include "stratvector.spread" $part | nindent 2 }}
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  containers:
    - name: {{ $identity }}
      image: {{ include "stratvector.image" (dict "root" $root "name" .name) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      securityContext:
        {{- include "stratvector.containerSecurity" . | nindent 8 }}
      env:
        {{- include "stratvector.environment" . | trim | nindent 8 }}
      ports:
        - {name: grpc, containerPort: 50051}
        - {name: http, containerPort: 9100}
        {{- if eq .name "gateway" }}
        - {name: console, containerPort: 8000}
        {{- end }}
      {{- include "stratvector.probes" (dict "port" "http" "scheme" (include "stratvector.scheme" $root) "alive" "/healthz" "ready" "/readyz") | nindent 6 }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $facts.bus }}
        - {name: keys, mountPath: /run/stratvector/keys, readOnly: true}
        {{- end }}
        {{- if $root.Values.tls.enabled }}
        - {name: tls, mountPath: /run/stratvector/tls, readOnly: true}
        {{- end }}
        {{- if $facts.config }}
        - {name: config, mountPath: /etc/stratvector/config, readOnly: true}
        {{- end }}
        {{- if $hasVolume }}
        - {name: data, mountPath: /var/lib/stratvector}
        {{- end }}
        {{- if $asksDatabase }}
        {{- include "stratvector.databaseMount" . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "stratvector.temporaryVolume" . | nindent 4 }}
    {{- if $facts.bus }}
    {{- include "stratvector.secretVolume" (dict "name" "keys" "secret" (printf "%s-keys-%s" $fullname $identity)) | nindent 4 }}
    {{- end }}
    {{- if $root.Values.tls.enabled }}
    {{- include "stratvector.secretVolume" (dict "name" "tls" "secret" (printf "%s-tls-%s" $fullname $identity)) | nindent 4 }}
    {{- end }}
    {{- if $facts.config }}
    {{- include "stratvector.configVolume" $root | nindent 4 }}
    {{- end }}
    {{- if $asksDatabase }}
    {{- include "stratvector.databaseVolume" $root | nindent 4 }}
    {{- end }}
    {{- if $hasVolume }}
    {{- with include "stratvector.dataVolume" (dict "persistence" $own.persistence) }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end -}}
