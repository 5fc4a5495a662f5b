# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_progrc_global_optspecs
    string join \n kubeconfig= context= cluster= user= n/namespace= s/server= token= as= as-group= as-uid= as-user-extra= certificate-authority= client-certificate= client-key= insecure-skip-tls-verify= tls-server-name= request-timeout= disable-compression= cache-dir= color= q/quiet v/verbose h/help V/version
end

function __fish_kubectl_progrc_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_progrc_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_progrc_using_subcommand
    set -l cmd (__fish_kubectl_progrc_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "audit" -d 'Run the rules: findings with evidence, scorecard'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "diff" -d 'Print the diff of every fix'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "fix" -d 'Fix findings, one by one or in batch'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "plan" -d 'Write the fixes as a file to review and apply later'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "apply" -d 'Apply a plan file'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "emit" -d 'Print fixes for Git, or as a script, instead of writing'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "undo" -d 'Take changes back'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "recover" -d 'Settle what a crash has left open'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "history" -d 'List what was changed, newest first'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "init" -d 'Write a commented .progrc.yaml from what is there'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "rbac" -d 'Print the least roles for a use, without Secrets'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "rules" -d 'List the rules'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "explain" -d 'Print the manual of a rule'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "completion" -d 'Print or install shell completions'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "version" -d 'Print the versions of client and server'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "__complete" -d 'Answer a shell\'s question what a word may become'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_needs_command" -f -a "__generate" -d 'Write the files that are made from the code'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s l -l selector -d 'Only findings about objects with these labels (the score stays that of all)' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l select -d 'Only these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l ignore -d 'Not these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l env -d 'What the namespaces are for' -r -f -a "production\t'Every rule applies'
staging\t'Every rule applies'
dev\t'Development services are at home'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l config -d 'Configuration file instead of .progrc.yaml' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l settle -d 'Wait this long and read again what may still be scaling, e.g. 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l set -d 'Answer a rule\'s question: RULE.KEY=VALUE or \'RULE[Kind/NS/NAME].KEY=VALUE\'; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s o -l output -d 'Output format' -r -f -a "table\t'Scorecard and findings, folded'
wide\t'Everything: no folding, every place and fact'
json\t'The AuditReport as JSON'
yaml\t'The AuditReport as YAML'
name\t'One kind.group/name a line, each once'
actions\t'What to do: immediate, short term, long term'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l fail-on -d 'Exit 1 for findings of this severity and worse' -r -f -a "critical\t'Critical findings only'
high\t'High and worse'
medium\t'Medium and worse'
low\t'Any finding; info never fails'
never\t'Nothing'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l baseline -d 'Findings in this file do not fail the run' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l write-baseline -d 'Write the findings to this file, as a baseline' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l require-full -d 'Exit 2 if something could not be read'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -l explain-score -d 'Say what each check contributes to the score and takes from it'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s l -l selector -d 'Only findings about objects with these labels (the score stays that of all)' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l select -d 'Only these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l ignore -d 'Not these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l env -d 'What the namespaces are for' -r -f -a "production\t'Every rule applies'
staging\t'Every rule applies'
dev\t'Development services are at home'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l config -d 'Configuration file instead of .progrc.yaml' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l settle -d 'Wait this long and read again what may still be scaling, e.g. 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l set -d 'Answer a rule\'s question: RULE.KEY=VALUE or \'RULE[Kind/NS/NAME].KEY=VALUE\'; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l require-full -d 'Exit 2 if something could not be read'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s y -l yes -d 'Only what `fix --yes` would do'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -l unsafe-fixes -d 'With --yes: what `fix --yes --unsafe-fixes` would do'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s l -l selector -d 'Only findings about objects with these labels (the score stays that of all)' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l select -d 'Only these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l ignore -d 'Not these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l env -d 'What the namespaces are for' -r -f -a "production\t'Every rule applies'
staging\t'Every rule applies'
dev\t'Development services are at home'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l config -d 'Configuration file instead of .progrc.yaml' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l settle -d 'Wait this long and read again what may still be scaling, e.g. 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l set -d 'Answer a rule\'s question: RULE.KEY=VALUE or \'RULE[Kind/NS/NAME].KEY=VALUE\'; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l dry-run -d 'Change nothing: print the plan (client) or let the server try it (server)' -r -f -a "none\t'It writes'
client\t'It prints what it would do'
server\t'The server tries every request'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l wait -d 'Wait for rollouts' -r -f -a "true\t''
false\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l timeout -d 'How long to wait for a rollout' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l field-manager -d 'The name of the writer in managedFields' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l soak -d 'Watch new pods this long after a rollout; else twice their readiness period, at least 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l require-full -d 'Exit 2 if something could not be read'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s y -l yes -d 'Do not ask'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l allow-no-dry-run -d 'Write even where a webhook does not support dry runs'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l unsafe-fixes -d 'Apply unsafe fixes too, and those whose every question is answered with --set'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l no-rollback -d 'Leave a change whose rollout or check fails as it is'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l atomic -d 'Take the whole batch back if one change of it fails'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -l keep-going -d 'Go on with independent fixes after one has failed'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand fix" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s l -l selector -d 'Only findings about objects with these labels (the score stays that of all)' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l select -d 'Only these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l ignore -d 'Not these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l env -d 'What the namespaces are for' -r -f -a "production\t'Every rule applies'
staging\t'Every rule applies'
dev\t'Development services are at home'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l config -d 'Configuration file instead of .progrc.yaml' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l settle -d 'Wait this long and read again what may still be scaling, e.g. 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l set -d 'Answer a rule\'s question: RULE.KEY=VALUE or \'RULE[Kind/NS/NAME].KEY=VALUE\'; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l out -d 'File for the plan, - for standard output; a summary is printed without it' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l require-full -d 'Exit 2 if something could not be read'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s y -l yes -d 'Only what `fix --yes` would do'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -l unsafe-fixes -d 'With --yes: what `fix --yes --unsafe-fixes` would do'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l dry-run -d 'Change nothing: print the plan (client) or let the server try it (server)' -r -f -a "none\t'It writes'
client\t'It prints what it would do'
server\t'The server tries every request'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l wait -d 'Wait for rollouts' -r -f -a "true\t''
false\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l timeout -d 'How long to wait for a rollout' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l field-manager -d 'The name of the writer in managedFields' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l soak -d 'Watch new pods this long after a rollout; else twice their readiness period, at least 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l set -d 'Confirm what can\'t be undone: RULE.confirm=NAMESPACE/NAME; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l max-age -d 'How old the plan may be, e.g. 30m, 24h' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s y -l yes -d 'Do not ask'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l allow-no-dry-run -d 'Write even where a webhook does not support dry runs'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l no-rollback -d 'Leave a change whose rollout or check fails as it is'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l atomic -d 'Take the whole batch back if one change of it fails'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l unsafe-fixes -d 'With --yes: apply the unsafe fixes of the plan too'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -l keep-going -d 'Go on with independent fixes after one has failed'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s l -l selector -d 'Only findings about objects with these labels (the score stays that of all)' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l select -d 'Only these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l ignore -d 'Not these: rule, category or severity; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l env -d 'What the namespaces are for' -r -f -a "production\t'Every rule applies'
staging\t'Every rule applies'
dev\t'Development services are at home'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l config -d 'Configuration file instead of .progrc.yaml' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l settle -d 'Wait this long and read again what may still be scaling, e.g. 30s' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l set -d 'Answer a rule\'s question: RULE.KEY=VALUE or \'RULE[Kind/NS/NAME].KEY=VALUE\'; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l allow-managed -d 'Change objects of these keepers although they put their own state back: helm, argocd, flux, operator' -r -f -a "helm\t''
argocd\t''
flux\t''
operator\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l format -d 'What is printed' -r -f -a "kustomize\t'A kustomization with a patch for each object and new objects as resources'
manifest\t'Whole objects as they are after the fixes'
kubectl\t'A shell script of guarded kubectl commands'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s o -l output -d 'Directory for the files, none of which may be there already; - for standard output' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l field-manager -d 'With --format kubectl: the name of the writer in managedFields' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -l require-full -d 'Exit 2 if something could not be read'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand emit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l step -d 'Only this step of the entry, from 1' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l dry-run -d 'Change nothing: print the plan (client) or let the server try it (server)' -r -f -a "none\t'It writes'
client\t'It prints what it would do'
server\t'The server tries every request'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l wait -d 'Wait for rollouts' -r -f -a "true\t''
false\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l timeout -d 'How long to wait for a rollout' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l field-manager -d 'The name of the writer in managedFields' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l force-value -d 'Put the old value back even where somebody has changed ours since'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l per-path -d 'Without asking, too: take back the fields that nobody has touched, and leave those that somebody has changed'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s y -l yes -d 'Do not ask'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -l allow-no-dry-run -d 'Write even where a webhook does not support dry runs'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l decide -d 'What became of the steps of the named entry that the cluster does not show, by a look of your own' -r -f -a "applied\t'It was carried out'
not-applied\t'It was not'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l dry-run -d 'Change nothing: print the plan (client) or let the server try it (server)' -r -f -a "none\t'It writes'
client\t'It prints what it would do'
server\t'The server tries every request'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l wait -d 'Wait for rollouts' -r -f -a "true\t''
false\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l timeout -d 'How long to wait for a rollout' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l field-manager -d 'The name of the writer in managedFields' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s y -l yes -d 'Do not ask'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -l allow-no-dry-run -d 'Write even where a webhook does not support dry runs'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l rule -d 'Only entries with a change of these rules; repeatable, comma separated' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l command -d 'Only entries of these commands; repeatable, comma separated' -r -f -a "fix\t''
apply\t''
undo\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l since -d 'Only entries that are younger than this, e.g. 36h or 7d' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l open -d 'Only entries that a crash, or a lost answer, has left open'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -l no-headers -d 'Print no column heads'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s f -l filename -d 'Manifests instead of a cluster: file, directory, or - for standard input; repeatable' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s k -l kustomize -d 'A kustomization, built with kubectl' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l out -d 'Where to write, - for standard output' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s A -l all-namespaces -d 'All namespaces but the system\'s; wins over -n'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s R -l recursive -d 'Enter the directories in directories'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l complete -d 'The manifests are all there is: what is not in them does not exist'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -l force -d 'Replace a file that is there'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l for -d 'Who gets the rights: user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME; repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l name -d 'Name of the roles and bindings; kubectl-progrc-audit or kubectl-progrc-fix unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rbac" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''
name\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -l no-headers -d 'Print no column heads'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand rules" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l dir -d 'With install: the directory, on PATH; that of this program unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s y -l yes -d 'With install: do not ask'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s o -l output -d 'Output format' -r -f -a "json\t''
yaml\t''"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -l client -d 'Only the version of this program'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __complete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l kubeconfig -d 'Path of the kubeconfig file; beats $KUBECONFIG' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l context -d 'Name of the kubeconfig context to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l cluster -d 'Name of the kubeconfig cluster to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l user -d 'Name of the kubeconfig user to use' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -s n -l namespace -d 'Namespace; that of the context unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -s s -l server -d 'Address and port of the Kubernetes API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l as -d 'User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l as-group -d 'Group to impersonate, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l as-user-extra -d 'Extra attribute of the impersonated user, repeatable' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l certificate-authority -d 'Path of a certificate authority\'s file' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l client-certificate -d 'Path of a client certificate for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l client-key -d 'Path of a client key for TLS' -r -F
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l insecure-skip-tls-verify -d 'Do not check the server\'s certificate; makes the connection insecure' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l tls-server-name -d 'Name to check the server\'s certificate against; that of the server unless given' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l request-timeout -d 'Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l disable-compression -d 'Ask for uncompressed responses' -r
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l cache-dir -d 'Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given' -r -f -a "(__fish_complete_directories)"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -s q -l quiet -d 'Print errors and data only'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -s v -l verbose -d 'Say more on standard error'
complete -c kubectl-progrc -n "__fish_kubectl_progrc_using_subcommand __generate" -s h -l help -d 'Print help (see more with \'--help\')'
