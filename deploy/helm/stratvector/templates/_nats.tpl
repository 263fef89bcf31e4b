{{/* nats-server's configuration. `include` is relative to the file, so it names the accounts' folder from
there. Every acknowledged message is on disk. */}}
{{- define "stratvector.natsConfig" -}}
{{- $object := printf "%s-nats" (include "stratvector.fullname" .) -}}
server_name: $POD_NAME
listen: "0.0.0.0:4222"
{{ ternary "https" "http" .Values.tls.enabled }}: "0.0.0.0:8222"
pid_file: "/run/nats/nats.pid"
max_payload: 8388608
lame_duck_duration: "30s"
lame_duck_grace_period: "5s"
jetstream {
  store_dir: "/data"
  sync_interval: always
}
{{- if .Values.tls.enabled }}
tls {
  {{- include "stratvector.natsTls" . | nindent 2 }}
  handshake_first: true
}
{{- end }}
{{- if gt (int .Values.nats.replicas) 1 }}
cluster {
  name: {{ $object | quote }}
  listen: "0.0.0.0:6222"
  no_advertise: true
  routes: [
    {{- range $number := until (int .Values.nats.replicas) }}
    "nats-route://{{ $object }}-{{ $number }}.{{ $object }}-headless:6222"
    {{- end }}
  ]
  {{- if .Values.tls.enabled }}
  tls {
    {{- include "stratvector.natsTls" . | nindent 4 }}
  }
  {{- end }}
}
{{- end }}
include "../accounts/accounts.conf"
{{- end -}}

{{- define "stratvector.natsTls" -}}
ca_file: "/etc/nats/tls/ca.crt"
cert_file: "/etc/nats/tls/tls.crt"
key_file: "/etc/nats/tls/tls.key"
verify: true
{{- end -}}

{{- define "stratvector.natsMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: run, mountPath: /run/nats}
- {name: config, mountPath: /etc/nats/config, readOnly: true}
- {name: accounts, mountPath: /etc/nats/accounts, readOnly: true}
{{- if .Values.tls.enabled }}
- {name: tls, mountPath: /etc/nats/tls, readOnly: true}
{{- end }}
{{- end -}}

{{/* The further names of certificates: SERVICE=NAME,… as `stratvector provision --names` takes them. NATS'
servers call each other by their pods, at most five; browsers call the gateway by its Service. */}}
{{- define "stratvector.certificateNames" -}}
{{- range $identity, $names := include "stratvector.furtherNames" . | fromYaml -}}
{{- range $names }}{{ $identity }}={{ . }},{{ end -}}
{{- end -}}
{{- end -}}

{{- define "stratvector.furtherNames" -}}
{{- $fullname := include "stratvector.fullname" . -}}
nats:
  - {{ $fullname }}-nats
  - {{ $fullname }}-nats.{{ .Release.Namespace }}.svc
  {{- range until 5 }}
  - {{ $fullname }}-nats-{{ . }}.{{ $fullname }}-nats-headless
  {{- end }}
gateway:
  - {{ $fullname }}-console
  - {{ $fullname }}-console.{{ .Release.Namespace }}.svc
  - localhost
{{- if .Values.ingress.enabled }}
  - {{ .Values.ingress.host }}
{{- end }}
{{- range $name, $_ := include "stratvector.services" . | fromYaml }}
{{- if ne $name "gateway" }}
{{ include "stratvector.identity" $name }}:
  - {{ $fullname }}-{{ include "stratvector.identity" $name }}
{{- end }}
{{- end }}
{{- end -}}
