{{/* Names, labels, images. */}}

{{- define "stratvector.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the longest object's name adds 22 to it. */}}
{{- define "stratvector.fullname" -}}
{{- $name := include "stratvector.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* A service's identity, as its certificate says it. */}}
{{- define "stratvector.identity" -}}
{{- . | replace "_" "-" -}}
{{- end -}}

{{/* What is selected by. Takes (dict "root" $ "component" NAME). */}}
{{- define "stratvector.selector" -}}
app.kubernetes.io/name: {{ include "stratvector.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes the same. */}}
{{- define "stratvector.labels" -}}
{{ include "stratvector.selector" . }}
app.kubernetes.io/part-of: stratvector
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Takes (dict "root" $ "name" SERVICE): the service's image by digest, or by tag. */}}
{{- define "stratvector.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .name -}}
{{- $tag := $image.tag | default .root.Chart.AppVersion -}}
{{- if $image.registry -}}{{ $image.registry }}/{{- end -}}
{{ $image.repository }}/{{ .name }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end -}}

{{/* Takes an image of another house: registry, repository, tag, digest. */}}
{{- define "stratvector.foreignImage" -}}
{{- if .registry -}}{{ .registry }}/{{- end -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}

{{- define "stratvector.scheme" -}}
{{- ternary "HTTPS" "HTTP" .Values.tls.enabled -}}
{{- end -}}

{{- define "stratvector.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{- printf "%s://%s-nats:4222" (ternary "tls" "nats" .Values.tls.enabled) (include "stratvector.fullname" .) -}}
{{- else -}}
{{- required "nats.externalUrl must name a server where nats.enabled is false" .Values.nats.externalUrl -}}
{{- end -}}
{{- end -}}

{{/* How many servers keep each message. */}}
{{- define "stratvector.streamReplicas" -}}
{{- if .Values.nats.streamReplicas -}}
{{- .Values.nats.streamReplicas -}}
{{- else -}}
{{- min 3 .Values.nats.replicas -}}
{{- end -}}
{{- end -}}

{{/* The files of the configuration, those of the values over those of the chart, as JSON. */}}
{{- define "stratvector.configFiles" -}}
{{- $files := dict -}}
{{- range $path, $_ := .Files.Glob "files/config/**.yaml" -}}
{{- $_ := set $files (trimPrefix "files/config/" $path) ($.Files.Get $path) -}}
{{- end -}}
{{- mergeOverwrite $files .Values.config.files | toJson -}}
{{- end -}}
