{{/* A container that reads or writes Secrets. Takes (dict "root" $ "does" fetch|store). */}}
{{- define "stratvector.secretsContainer" -}}
image: {{ include "stratvector.image" (dict "root" .root "name" "cli") }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command:
  - python
  - -P
  - -m
  - stratvector.cli.cluster_secrets
  - {{ .does }}
  - --folder=/work
  - --prefix={{ include "stratvector.fullname" .root }}
  {{- if and (eq .does "store") (eq .root.Values.services.ledger.database "postgresql") }}
  - --password=postgresql
  {{- end }}
env:
  - {name: HOME, value: /tmp}
securityContext:
  {{- include "stratvector.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .root.Values.jobs.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: work, mountPath: /work}
  - {name: api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{/* Every Secret that the job makes, as a YAML list; `cluster_secrets` knows the same names. */}}
{{- define "stratvector.secretNames" -}}
{{- $fullname := include "stratvector.fullname" . -}}
{{- $services := include "stratvector.services" . | fromYaml -}}
- {{ $fullname }}-accounts
- {{ $fullname }}-ca
- {{ $fullname }}-postgresql
{{- range $name, $facts := $services }}
{{- if $facts.bus }}
- {{ $fullname }}-keys-{{ include "stratvector.identity" $name }}
{{- end }}
- {{ $fullname }}-tls-{{ include "stratvector.identity" $name }}
{{- end }}
{{- range list "provisioner" "operator" "apply" }}
- {{ $fullname }}-keys-{{ . }}
{{- end }}
{{- range list "nats" "cli" "prometheus" }}
- {{ $fullname }}-tls-{{ . }}
{{- end }}
{{- end -}}

{{/* Provisioning, then apply. Its text names the job, so whatever changes in it makes another job. */}}
{{- define "stratvector.applySpec" -}}
{{- $fullname := include "stratvector.fullname" . -}}
{{- $part := dict "root" . "component" "apply" -}}
backoffLimit: 40
podFailurePolicy:
  rules:
    # A person must put something right, so a further try changes nothing.
    - action: FailJob
      onExitCodes: {containerName: apply, operator: In, values: [78]}
template:
  metadata:
    labels:
      {{- include "stratvector.selector" $part | nindent 6 }}
    annotations:
      checksum/config: {{ include "stratvector.configFiles" . | sha256sum }}
  spec:
    {{- include "stratvector.podHead" (dict "root" . "component" "apply" "account" (printf "%s-jobs" $fullname)) | nindent 4 }}
    restartPolicy: Never
    initContainers:
      - name: provision
        args: [provision, --replicas={{ include "stratvector.streamReplicas" . }}, --wait=120]
        {{- include "stratvector.commandContainer" (dict "root" . "seed" "provisioner") | nindent 8 }}
    containers:
      - name: apply
        # 75: it is wanted, and holds from a close that is still to come.
        command: [/bin/sh, -c]
        args:
          - |
            [ "$APPLIES" = true ] || exit 0
            start apply --file "/etc/stratvector/config/$FILE" ${RUN:+--run "$RUN"} --connect 60 --wait 60
            code=$?
            [ $code -eq 75 ] && exit 0
            exit $code
        {{- include "stratvector.commandContainer" (dict "root" . "seed" "apply" "config" true) | nindent 8 }}
    volumes:
      {{- include "stratvector.temporaryVolume" . | nindent 6 }}
      {{- include "stratvector.configVolume" . | nindent 6 }}
      {{- range list "provisioner" "apply" }}
      {{- include "stratvector.secretVolume" (dict "name" (printf "keys-%s" .) "secret" (printf "%s-keys-%s" $fullname .)) | nindent 6 }}
      {{- end }}
      {{- if .Values.tls.enabled }}
      {{- include "stratvector.secretVolume" (dict "name" "tls" "secret" (printf "%s-tls-cli" $fullname)) | nindent 6 }}
      {{- end }}
{{- end -}}

{{/* The rest of a container with the command. Takes (dict "root" $ "seed" USER "config" BOOL). */}}
{{- define "stratvector.commandContainer" -}}
image: {{ include "stratvector.image" (dict "root" .root "name" "cli") }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  {{- include "stratvector.commandEnvironment" . | nindent 2 }}
  {{- if .config }}
  - {name: APPLIES, value: {{ .root.Values.config.enabled | quote }}}
  - {name: FILE, value: {{ .root.Values.config.file | quote }}}
  - {name: RUN, value: {{ .root.Values.config.run | quote }}}
  {{- end }}
workingDir: /tmp
securityContext:
  {{- include "stratvector.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .root.Values.jobs.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: keys-{{ .seed }}, mountPath: /run/stratvector/keys, readOnly: true}
  {{- if .root.Values.tls.enabled }}
  - {name: tls, mountPath: /run/stratvector/tls, readOnly: true}
  {{- end }}
  {{- if .config }}
  - {name: config, mountPath: /etc/stratvector/config, readOnly: true}
  {{- end }}
{{- end -}}

{{/* The ledger's tables at their newest revision. The ledger brings them there at its start as well; the job
says so where somebody looks for it. */}}
{{- define "stratvector.migrateSpec" -}}
{{- $fullname := include "stratvector.fullname" . -}}
{{- $part := dict "root" . "component" "migrate" -}}
backoffLimit: 40
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes: {containerName: migrate, operator: In, values: [2, 78]}
template:
  metadata:
    labels:
      {{- include "stratvector.selector" $part | nindent 6 }}
  spec:
    {{- include "stratvector.podHead" (dict "root" . "component" "migrate" "account" (printf "%s-jobs" $fullname)) | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: migrate
        image: {{ include "stratvector.image" (dict "root" . "name" "ledger") }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        command: [python, -P, -m, stratvector.services.ledger.migrate, --wait=120]
        env:
          {{- include "stratvector.databaseEnvironment" . | nindent 10 }}
        securityContext:
          {{- include "stratvector.containerSecurity" . | nindent 10 }}
        resources:
          {{- toYaml .Values.jobs.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          {{- include "stratvector.databaseMount" . | nindent 10 }}
    volumes:
      {{- include "stratvector.temporaryVolume" . | nindent 6 }}
      {{- include "stratvector.databaseVolume" . | nindent 6 }}
{{- end -}}
